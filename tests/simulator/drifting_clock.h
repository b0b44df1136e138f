#pragma once

#include <algorithm>

#include "cssd/base/time.h"
#include "tests/simulator/event_queue.h"

namespace css::sim {

/// A host's CLOCK_BOOTTIME: starts anywhere at boot and runs fast or slow by up to 0.1 %.
class DriftingClock {
public:
    static constexpr SimTime kPpmMax = 1000;

    DriftingClock() = default;
    DriftingClock(SimTime local_now, SimTime now, SimTime ppm) : ppm_(ppm) {
        offset_ = local_now - reading(now);
    }

    [[nodiscard]] Instant local(SimTime t) const { return Instant{Duration{reading(t)}}; }
    /// The first time at which the clock shows at least `local`; far ones are cut to a day or so.
    [[nodiscard]] SimTime when(Instant local, SimTime now) const {
        constexpr SimTime kFar = 100'000'000'000'000;
        const SimTime wanted = local.time_since_epoch().count();
        if (wanted <= reading(now)) {
            return now;
        }
        const SimTime elapsed = std::min(wanted, reading(now) + kFar) - offset_;
        SimTime t = elapsed - elapsed / (kMillion + ppm_) * ppm_ -
                    elapsed % (kMillion + ppm_) * ppm_ / (kMillion + ppm_);
        while (reading(t) < std::min(wanted, reading(now) + kFar)) {
            ++t;
        }
        while (t > now && reading(t - 1) >= wanted) {
            --t;
        }
        return t;
    }

private:
    static constexpr SimTime kMillion = 1'000'000;
    [[nodiscard]] SimTime reading(SimTime t) const {
        return offset_ + t + t / kMillion * ppm_ + t % kMillion * ppm_ / kMillion;
    }
    SimTime offset_ = 0;
    SimTime ppm_ = 0;
};

}  // namespace css::sim
