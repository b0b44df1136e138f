#pragma once

#include "cssd/base/time.h"

namespace css::runtime {

/// After kill-clients fencing the daemon joins again by itself (INTERFACE, `autorejoin_tries`). A
/// try is one `autorejoin_interval` in which a new instance does what it can to become active; the
/// first begins at once. No clock, no thread.
class Rejoin {
public:
    Rejoin(unsigned tries, Duration interval) : tries_(tries), interval_(interval) {}

    enum class Step : unsigned char {
        kNothing,
        kTry,     ///< Another try begins.
        kGiveUp,  ///< The last one was in vain: exit_action.
        kDone,    ///< The node is active.
    };
    /// The instance was fenced, its clients are gone.
    Step begin(Instant now);
    /// To be asked at due(), and whenever something has happened.
    Step look(Instant now, bool active);

    /// kForever: nothing is under way.
    [[nodiscard]] Instant due() const { return due_; }
    /// Which try it is, from 1; 0: none is under way.
    [[nodiscard]] unsigned number() const { return number_; }

private:
    const unsigned tries_;
    const Duration interval_;
    unsigned number_ = 0;
    Instant due_ = kForever;
};

}  // namespace css::runtime
