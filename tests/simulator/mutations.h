#pragma once

#include <optional>
#include <string_view>

#include "cssd/base/mutation.h"
#include "tests/simulator/campaign.h"

namespace css::sim {

/// Every rule broken in turn, under the runs directed at it, until a seed is caught; prints the
/// table (mutation, section of PROTOCOL, seeds until caught, invariant). With `from` each search
/// begins there instead of where the table says. Returns 1 when one is not caught in `tries`.
struct MutationRun {
    unsigned jobs = 1;
    std::uint64_t tries = 20'000;
    std::optional<std::uint64_t> from;
    std::string only;  ///< Names, separated by commas; empty: all.
};
int run_mutations(const MutationRun& run);
std::optional<Mutation> mutation_named(std::string_view name);

}  // namespace css::sim
