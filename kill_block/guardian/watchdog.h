#pragma once

#include <chrono>

#include "kill_block/guardian/message.h"

namespace css::guardian {

/// The watchdog device: hardware that resets the host unless it is fed in time. Fed by one guardian
/// alone, the one called cssdagent: the device takes one opener. Calls into its driver; one that
/// hangs holds up this guardian, which the other one, the daemon and the device itself outlive.
class Watchdog {
public:
    Watchdog() = default;
    ~Watchdog();  ///< Without a good-bye: the device goes on and resets.
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    Watchdog(Watchdog&&) = delete;
    Watchdog& operator=(Watchdog&&) = delete;

    /// Opens the device if it is not open, sets the time-out, reads it back. A device that holds
    /// another one is let go. Zero seconds: there is no room for a watchdog.
    void arm(const char* path, std::chrono::seconds timeout);
    [[nodiscard]] bool is_armed() const { return fd_ >= 0; }
    /// What it was asked for last, whether it took it or not; negative: nothing.
    [[nodiscard]] std::chrono::seconds timeout() const { return timeout_; }
    void feed();
    /// Magic close. Only when nothing is left that a reset would have to stop.
    void disarm();

    [[nodiscard]] WatchdogState state() const { return state_; }
    /// What the state says besides: seconds or an errno.
    [[nodiscard]] unsigned detail() const { return detail_; }

private:
    void let_go();
    void refuse(WatchdogState state, unsigned detail);

    int fd_ = -1;
    std::chrono::seconds timeout_{-1};
    WatchdogState state_ = WatchdogState::kNone;
    unsigned detail_ = 0;
};

}  // namespace css::guardian
