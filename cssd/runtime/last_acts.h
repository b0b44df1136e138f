#pragma once

#include <functional>
#include <variant>

#include "cssd/base/shell_thread.h"
#include "cssd/core/io.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/mailbox.h"
#include "kill_block/link/guardian_link.h"

namespace css::runtime {

/// The thread "killblock" (SOURCES 1.6): carries out what ends this node's part. A fence: the
/// guardians kill every client now. A clean leave: clients are asked to end, then killed. The
/// guardians do the same by themselves at the lease end if this thread, or the daemon, hangs.
class LastActs {
public:
    /// A clean leave waits this long for clients that were asked to end.
    static constexpr Duration kDrainPatience = std::chrono::seconds{10};

    /// `ask_clients_to_end` must not block.
    LastActs(guardian::GuardianLink& guardians, std::function<void()> ask_clients_to_end, Log& log);
    ~LastActs();
    LastActs(const LastActs&) = delete;
    LastActs& operator=(const LastActs&) = delete;
    LastActs(LastActs&&) = delete;
    LastActs& operator=(LastActs&&) = delete;

    [[nodiscard]] Status start();

    // Any thread; never wait.
    void drain(Instance self);
    void fence_self(const core::FenceSelf& order, Instance self);

private:
    struct Drain {
        Instance self;
    };
    struct Fence {
        core::FenceSelf order;
        Instance self;
    };
    using Act = std::variant<Drain, Fence>;
    void run();
    void carry_out(const Drain& act);
    void carry_out(const Fence& act);

    guardian::GuardianLink& guardians_;
    const std::function<void()> ask_clients_to_end_;
    Log& log_;
    Mailbox<Act> mailbox_{16};  ///< An instance drains once and fences once.
    ShellThread thread_;
};

}  // namespace css::runtime
