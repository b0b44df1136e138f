#pragma once

#include <sys/types.h>

#include "kill_block/guardian/orders.h"

namespace css::guardian {

/// Lines for people, in the daemon's logs, from a guardian: each is written by a child process of
/// its own, so that a log directory that hangs or is gone holds up nobody. Lines are appended
/// whole; files that are not there are not made.
class Notebook {
public:
    /// `name`: of the guardian; both must outlive this object.
    void open(const char* name, const FixedOrders* orders) {
        name_ = name;
        orders_ = orders;
    }
    /// To both logs. `trace` begins with its word (LHB); `alert` may be null.
    void write(const char* alert, const char* trace);
    /// A child has ended.
    void note_ended(pid_t child);

    /// In a child: one line of the trace, at once.
    static void append_trace(const FixedOrders& orders, const char* name, const char* text);

private:
    static constexpr int kChildrenMax = 8;  ///< More lines are dropped while so many hang.
    const char* name_ = "";
    const FixedOrders* orders_ = nullptr;
    std::array<pid_t, kChildrenMax> children_{};
};

}  // namespace css::guardian
