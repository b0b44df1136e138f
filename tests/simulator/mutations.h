#pragma once

#include <optional>
#include <string_view>

#include "cssd/base/mutation.h"
#include "tests/simulator/campaign.h"

namespace css::sim {

std::string_view name_of(Mutation mutation);
std::optional<Mutation> mutation_named(std::string_view name);

/// Breaks one rule of the protocol after the other and prints how many seeds it took until a
/// checker noticed; `campaign` says how many to try at most. Returns 0 when all were caught.
int run_mutations(const Campaign& campaign);

}  // namespace css::sim
