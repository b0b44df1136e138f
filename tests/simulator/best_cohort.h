#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/simulator/world.h"

namespace css::sim {

/// The best clique of a graph (PROTOCOL 7.2) by trying every one of its sets in the order of its
/// vertices: an oracle, not a copy of the core's search. Vertices 0.. stand for nodes in ascending
/// number; edges[v] is the mask of v's neighbours.
class BestCohort {
public:
    BestCohort(std::vector<std::uint64_t> edges, std::vector<std::uint32_t> weights)
        : edges_(std::move(edges)), weights_(std::move(weights)) {
        grow(0, 0, 0, 0);
    }
    [[nodiscard]] std::uint64_t members() const { return best_; }

private:
    void grow(std::size_t next, std::uint64_t chosen, unsigned count, std::uint64_t weight) {
        if (next == edges_.size()) {
            // Lower numbers are tried first, so of equals the first found is the right one.
            if (count > best_count_ || (count == best_count_ && weight > best_weight_)) {
                best_ = chosen;
                best_count_ = count;
                best_weight_ = weight;
            }
            return;
        }
        if (count + (edges_.size() - next) < best_count_) {
            return;
        }
        if ((chosen & ~edges_[next]) == 0) {
            grow(next + 1, chosen | std::uint64_t{1} << next, count + 1, weight + weights_[next]);
        }
        grow(next + 1, chosen, count, weight);
    }

    std::vector<std::uint64_t> edges_;
    std::vector<std::uint32_t> weights_;
    std::uint64_t best_ = 0;
    unsigned best_count_ = 0;
    std::uint64_t best_weight_ = 0;
};

}  // namespace css::sim
