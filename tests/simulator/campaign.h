#pragma once

#include <cstdint>
#include <optional>
#include <string>

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
    double seconds = 0;        ///< No seed is begun after so many; 0: all are.
    std::string counts_file;   ///< Gets the counts, for tools/sim-campaign; empty: none does.
    Overrides overrides;
    std::optional<Options> fixed;  ///< With each seed; then the seed draws only what is not in it.

    [[nodiscard]] Options options(std::uint64_t seed) const;
};

/// Runs each seed in one of `jobs` processes. Every failed seed is reported as it is found, with
/// its last steps; a worker that crashed is replaced. Returns the worst exit code.
int run_campaign(const Campaign& campaign);
/// `seed hash` of each run, a line each, in this process: two builds are the same simulation when
/// their lists are.
int print_hashes(const Campaign& campaign);
}  // namespace css::sim
