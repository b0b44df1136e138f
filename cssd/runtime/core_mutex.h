#pragma once

#include <pthread.h>

#include "cssd/base/check.h"

namespace css::runtime {

/// The lock of the core. Priority is inherited: a heartbeat thread that waits for a query's thread
/// lends it its real-time priority. Used with std::lock_guard.
class CoreMutex {
public:
    CoreMutex() {
        pthread_mutexattr_t attributes;
        CSS_CHECK(pthread_mutexattr_init(&attributes) == 0);
        CSS_CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
        CSS_CHECK(pthread_mutex_init(&mutex_, &attributes) == 0);
        pthread_mutexattr_destroy(&attributes);
    }
    ~CoreMutex() { pthread_mutex_destroy(&mutex_); }
    CoreMutex(const CoreMutex&) = delete;
    CoreMutex& operator=(const CoreMutex&) = delete;
    CoreMutex(CoreMutex&&) = delete;
    CoreMutex& operator=(CoreMutex&&) = delete;

    // Spelled as the standard library expects of a lock.
    void lock() { CSS_CHECK(pthread_mutex_lock(&mutex_) == 0); }
    void unlock() { CSS_CHECK(pthread_mutex_unlock(&mutex_) == 0); }

private:
    pthread_mutex_t mutex_;
};

}  // namespace css::runtime
