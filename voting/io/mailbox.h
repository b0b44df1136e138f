#pragma once

#include <mutex>
#include <optional>

#include "cssd/base/result.h"
#include "cssd/base/time.h"
#include "cssd/core/io.h"
#include "voting/format/path_hints.h"
#include "voting/io/fd.h"

namespace css::voting {

/// What other threads ask of a file's thread: one order at most, and wishes, of which the newest
/// counts. Every post makes event_fd() readable; the file's thread sleeps on that, in its ring
/// while a file is open, else in poll().
class Mailbox {
public:
    static Result<Fd> make_event();
    explicit Mailbox(Fd event) : event_(std::move(event)) {}

    // Any thread.
    void post_order(core::CycleOrder order);  ///< No order may be outstanding.
    void post_slot_wanted();
    void post_hints(PathHints hints);  ///< Added to those that still wait.
    void post_reopen(Error reason);
    void post_stop(Instant give_up_at);

    // The file's thread.
    [[nodiscard]] int event_fd() const { return event_.get(); }
    void clear_event();
    [[nodiscard]] std::optional<core::CycleOrder> take_order();
    /// Before the answer is given: the next order may come from inside it.
    void order_is_answered();
    [[nodiscard]] std::optional<PathHints> take_hints();
    [[nodiscard]] std::optional<Error> take_reopen();
    [[nodiscard]] bool slot_wanted();
    /// Set when the thread is to end: at once when nothing is in flight, at the latest at this
    /// time.
    [[nodiscard]] std::optional<Instant> stop_at();

private:
    void ring_bell();

    Fd event_;
    std::mutex mutex_;
    std::optional<core::CycleOrder> order_;
    bool outstanding_ = false;  ///< From post_order() to order_is_answered().
    std::optional<PathHints> hints_;
    std::optional<Error> reopen_;
    bool slot_wanted_ = false;
    std::optional<Instant> stop_at_;
};

}  // namespace css::voting
