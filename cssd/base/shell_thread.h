#pragma once

#include <csignal>
#include <cstddef>
#include <functional>
#include <utility>

#include <pthread.h>

#include "cssd/base/check.h"
#include "cssd/base/result.h"

namespace css {

/// A thread of a shell: named for `ps -T`, with a stack small enough to be locked in memory, and
/// with all signals blocked (they belong to the main thread). join() before destruction.
class ShellThread {
public:
    static constexpr std::size_t kStackSize = 256 * 1024;

    ShellThread() = default;
    ~ShellThread() { CSS_CHECK(!joinable_); }
    ShellThread(const ShellThread&) = delete;
    ShellThread& operator=(const ShellThread&) = delete;
    ShellThread(ShellThread&&) = delete;
    ShellThread& operator=(ShellThread&&) = delete;

    /// `name`: at most 15 characters. Once in the life of this object. Errors: kSystem.
    Status start(const char* name, std::function<void()> body) {
        CSS_CHECK(!joinable_);
        name_ = name;
        body_ = std::move(body);
        pthread_attr_t attributes;
        CSS_CHECK(pthread_attr_init(&attributes) == 0);
        CSS_CHECK(pthread_attr_setstacksize(&attributes, kStackSize) == 0);
        sigset_t all;
        sigset_t former;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &former);
        const int failure = pthread_create(&thread_, &attributes, &ShellThread::run, this);
        pthread_sigmask(SIG_SETMASK, &former, nullptr);
        pthread_attr_destroy(&attributes);
        if (failure != 0) {
            return Error{ErrorCode::kSystem, failure, std::string{"cannot start thread "} + name};
        }
        joinable_ = true;
        return Done{};
    }
    /// Waits for the end of the body; nothing when it was never started or joined before.
    void join() {
        if (std::exchange(joinable_, false)) {
            CSS_CHECK(pthread_join(thread_, nullptr) == 0);
        }
    }

private:
    static void* run(void* self) {
        auto* thread = static_cast<ShellThread*>(self);
        static_cast<void>(pthread_setname_np(pthread_self(), thread->name_));
        thread->body_();
        return nullptr;
    }
    std::function<void()> body_;
    const char* name_ = "";
    pthread_t thread_{};
    bool joinable_ = false;
};

}  // namespace css
