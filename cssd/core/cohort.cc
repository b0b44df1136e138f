#include "cssd/core/cohort.h"

#include <utility>

namespace css::core {
namespace {

/// Size first, then weight.
using Rank = std::pair<unsigned, std::uint64_t>;

/// Branch and bound. The lowest candidate is taken in before it is left out, so of cliques of equal
/// rank the one with the lowest numbers is found first, and only a strictly better one replaces it.
class Search {
public:
    Search(NodeSet vertices,
           const PerNode<NodeSet>& connected,
           const PerNode<std::uint32_t>& weights)
        : weights_(weights) {
        for (const NodeNumber a : vertices) {
            for (const NodeNumber b : vertices) {
                if (a != b && connected[a].contains(b) && connected[b].contains(a)) {
                    adjacent_[a].insert(b);
                }
            }
        }
        extend(NodeSet{}, Rank{0, 0}, vertices);
    }
    [[nodiscard]] NodeSet best() const { return best_; }

private:
    void extend(NodeSet chosen, Rank rank, NodeSet candidates) {
        if (candidates.empty()) {
            if (rank > best_rank_) {
                best_ = chosen;
                best_rank_ = rank;
            }
            return;
        }
        const Rank more = bound(candidates);
        if (Rank{rank.first + more.first, rank.second + more.second} <= best_rank_) {
            return;
        }
        const NodeNumber v = candidates.lowest();
        extend(chosen | NodeSet::of(v),
               Rank{rank.first + 1, rank.second + weights_[v]},
               candidates & adjacent_[v]);
        extend(chosen, rank, candidates - NodeSet::of(v));
    }

    /// Colours the candidates greedily; a clique has at most one vertex of each colour.
    [[nodiscard]] Rank bound(NodeSet rest) const {
        Rank sum{0, 0};
        while (!rest.empty()) {
            std::uint32_t heaviest = 0;
            NodeSet same_colour = rest;
            while (!same_colour.empty()) {
                const NodeNumber v = same_colour.lowest();
                heaviest = std::max(heaviest, weights_[v]);
                rest.erase(v);
                same_colour = same_colour - NodeSet::of(v) - adjacent_[v];
            }
            ++sum.first;
            sum.second += heaviest;
        }
        return sum;
    }

    const PerNode<std::uint32_t>& weights_;
    PerNode<NodeSet> adjacent_;
    NodeSet best_;
    Rank best_rank_{0, 0};
};

}  // namespace

NodeSet best_clique(NodeSet vertices,
                    const PerNode<NodeSet>& connected,
                    const PerNode<std::uint32_t>& weights) {
    return Search(vertices, connected, weights).best();
}

}  // namespace css::core
