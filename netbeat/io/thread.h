#pragma once

#include <functional>

#include <pthread.h>

#include "cssd/base/result.h"

namespace css::netbeat {

/// A thread with a name that `ps -T` shows, a stack small enough to be locked in memory, and all
/// signals blocked (they belong to the main thread). join() before destruction.
class NamedThread {
public:
    NamedThread() = default;
    ~NamedThread();
    NamedThread(const NamedThread&) = delete;
    NamedThread& operator=(const NamedThread&) = delete;
    NamedThread(NamedThread&&) = delete;
    NamedThread& operator=(NamedThread&&) = delete;

    /// `name` has at most 15 characters. Once in the life of this object.
    [[nodiscard]] Status start(const char* name, std::function<void()> body);
    /// Waits for the end of the body; nothing when it was never started or joined before.
    void join();

private:
    static void* run(void* self);
    std::function<void()> body_;
    const char* name_ = "";
    pthread_t thread_{};
    bool joinable_ = false;
};

}  // namespace css::netbeat
