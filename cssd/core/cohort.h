#pragma once

#include <cstdint>

#include "cssd/base/types.h"

namespace css::core {

/// The best clique among `vertices` (PROTOCOL 7.2): most nodes; then the highest sum of weights;
/// then the lowest node numbers, comparing the sorted lists. Two nodes are joined when each is in
/// the other's `connected`; own bits do not matter.
[[nodiscard]] NodeSet best_clique(NodeSet vertices,
                                  const PerNode<NodeSet>& connected,
                                  const PerNode<std::uint32_t>& weights);

}  // namespace css::core
