#pragma once

#include <functional>
#include <memory>

#include "cssd/base/result.h"
#include "cssd/base/shell_thread.h"
#include "cssd/base/time.h"
#include "cssd/base/unique_fd.h"

namespace css::runtime {

/// The thread "polling" (SOURCES 1.3): steps the core when its time has come. Everything that is
/// judged by the passing of time (missed heartbeats, lease, settling, cycles due) is looked at in
/// such a step. A timer in the kernel, so setting it from any thread waits for nobody.
class Polling {
public:
    /// `tick` runs on the thread.
    static Result<std::unique_ptr<Polling>> start(std::function<void()> tick);
    ~Polling();
    Polling(const Polling&) = delete;
    Polling& operator=(const Polling&) = delete;
    Polling(Polling&&) = delete;
    Polling& operator=(Polling&&) = delete;

    /// Tick no later than this; replaces the time set before. kForever: none.
    void wake_at(Instant at);

private:
    Polling(UniqueFd timer, UniqueFd stop, std::function<void()> tick);
    void run() const;

    UniqueFd timer_;
    UniqueFd stop_;
    std::function<void()> tick_;
    ShellThread thread_;
};

}  // namespace css::runtime
