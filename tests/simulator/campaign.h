#pragma once

#include <cstdint>

#include "tests/simulator/options.h"

namespace css::sim {

/// Exit codes of css_sim; a crash of the core is 134, what a shell shows for an abort.
inline constexpr int kExitPassed = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitSafety = 3;
inline constexpr int kExitLiveness = 4;
inline constexpr int kExitCrash = 134;

struct Campaign {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
    unsigned jobs = 1;
    unsigned stop_after = 20;  ///< Failed seeds that end the campaign.
    Overrides overrides;
};

/// Runs each seed in one of `jobs` processes. Every failed seed is reported as it is found, with
/// its last steps; a worker that crashed is replaced. Returns the worst exit code.
int run_campaign(const Campaign& campaign);
/// One seed with its whole trace on standard output.
int replay(std::uint64_t seed, const Overrides& overrides);

}  // namespace css::sim
