#pragma once

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <mutex>

#include <pthread.h>

#include "cssd/base/check.h"
#include "cssd/base/time.h"

namespace css {

/// A lock whose priority is inherited: a heartbeat thread that waits for an ordinary thread to let
/// it go lends that one its real-time priority meanwhile. Used with std::lock_guard and
/// std::unique_lock.
class PriorityMutex {
public:
    PriorityMutex() {
        pthread_mutexattr_t attributes;
        CSS_CHECK(pthread_mutexattr_init(&attributes) == 0);
        CSS_CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
        CSS_CHECK(pthread_mutex_init(&mutex_, &attributes) == 0);
        pthread_mutexattr_destroy(&attributes);
    }
    ~PriorityMutex() { pthread_mutex_destroy(&mutex_); }
    PriorityMutex(const PriorityMutex&) = delete;
    PriorityMutex& operator=(const PriorityMutex&) = delete;
    PriorityMutex(PriorityMutex&&) = delete;
    PriorityMutex& operator=(PriorityMutex&&) = delete;

    // Spelled as the standard library expects of a lock.
    void lock() { CSS_CHECK(pthread_mutex_lock(&mutex_) == 0); }
    void unlock() { CSS_CHECK(pthread_mutex_unlock(&mutex_) == 0); }
    [[nodiscard]] pthread_mutex_t* native() { return &mutex_; }

private:
    pthread_mutex_t mutex_;
};

/// Goes with a PriorityMutex, which std::condition_variable does not.
class PriorityCondition {
public:
    PriorityCondition() {
        pthread_condattr_t attributes;
        CSS_CHECK(pthread_condattr_init(&attributes) == 0);
        CSS_CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
        CSS_CHECK(pthread_cond_init(&condition_, &attributes) == 0);
        pthread_condattr_destroy(&attributes);
    }
    ~PriorityCondition() { pthread_cond_destroy(&condition_); }
    PriorityCondition(const PriorityCondition&) = delete;
    PriorityCondition& operator=(const PriorityCondition&) = delete;
    PriorityCondition(PriorityCondition&&) = delete;
    PriorityCondition& operator=(PriorityCondition&&) = delete;

    void notify_one() { CSS_CHECK(pthread_cond_signal(&condition_) == 0); }

    /// Until `ready()`, which is asked with the lock held.
    template <class Ready>
    void wait(std::unique_lock<PriorityMutex>& lock, const Ready& ready) {
        while (!ready()) {
            CSS_CHECK(pthread_cond_wait(&condition_, lock.mutex()->native()) == 0);
        }
    }
    /// The same, for so long at most.
    template <class Ready>
    void wait_for(std::unique_lock<PriorityMutex>& lock, Duration patience, const Ready& ready) {
        constexpr std::int64_t kSecond = 1'000'000'000;
        timespec until{};
        CSS_CHECK(::clock_gettime(CLOCK_MONOTONIC, &until) == 0);
        const std::int64_t ns = until.tv_nsec + (patience.count() < 0 ? 0 : patience.count());
        until.tv_sec += ns / kSecond;
        until.tv_nsec = ns % kSecond;
        while (!ready()) {
            const int failure = pthread_cond_timedwait(&condition_, lock.mutex()->native(), &until);
            CSS_CHECK(failure == 0 || failure == ETIMEDOUT);
            if (failure == ETIMEDOUT) {
                return;
            }
        }
    }

private:
    pthread_cond_t condition_;
};

}  // namespace css
