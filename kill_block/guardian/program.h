#pragma once

#include <sys/types.h>

#include "cssd/base/types.h"
#include "kill_block/guardian/keeper.h"
#include "kill_block/guardian/orders.h"

namespace css::guardian {

/// One external program of one fence: the drain hook, or the fence command for this very node. Run
/// in a child of its own, its output line by line in the trace.
///
/// The two guardians agree on nothing, yet the program should not run twice at once: the child
/// takes a lock in the run directory first, and when the other's run of the same program for the
/// same instance has succeeded meanwhile, that is the answer. A program must therefore bear being
/// run again: off stays off.
class Program {
public:
    enum class What : unsigned char { kCommand, kDrain };
    explicit Program(What what) : what_(what) {}
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    Program(Program&&) = delete;
    Program& operator=(Program&&) = delete;
    ~Program() { forget(); }

    /// Starts it unless it was started before. `orders` must not change while it runs.
    void run(const char* guardian, const FixedOrders& orders, Instance instance);
    /// A child of this process has ended, with this wait status.
    void note_ended(pid_t child, int status);
    /// Kills it if it runs; the next run() starts it anew.
    void forget();

    [[nodiscard]] Errand state() const { return state_; }

private:
    const What what_;
    pid_t child_ = 0;
    Errand state_ = Errand::kIdle;
};

}  // namespace css::guardian
