#pragma once

#include <chrono>
#include <cstdint>

namespace css {

/// The one clock of every decision: CLOCK_BOOTTIME, which nobody can set and which counts the time
/// a machine was suspended (PROTOCOL 2). It has no now(): the runtime reads the clock and passes
/// the time in, the simulator passes virtual time.
struct CoreClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<CoreClock>;
    static constexpr bool is_steady = true;  // NOLINT(readability-identifier-naming): std's name
};

using Duration = CoreClock::duration;
using Instant = CoreClock::time_point;

/// Earlier than anything that happens: 'never yet'. Far enough from the ends of the type that a
/// few time-outs may be added or subtracted.
inline constexpr Instant kNever{Duration{-(std::int64_t{1} << 61)}};
/// Later than anything that happens.
inline constexpr Instant kForever{Duration{std::int64_t{1} << 61}};

/// The time to wait before judging another host by its promise to act within `promised`: two
/// clocks, each within 0.1 % of true time, differ by at most 0.2 % (PROTOCOL 2, 9).
constexpr Duration stretched(Duration promised) {
    return promised + promised / 500 + Duration{1};
}

}  // namespace css
