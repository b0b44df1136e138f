#include "cssd/core/cohort.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace css::core {
namespace {

PerNode<NodeSet> links(std::initializer_list<std::pair<unsigned, unsigned>> edges) {
    PerNode<NodeSet> connected;
    for (const auto& [a, b] : edges) {
        connected[NodeNumber{a}].insert(NodeNumber{b});
        connected[NodeNumber{b}].insert(NodeNumber{a});
    }
    return connected;
}

PerNode<std::uint32_t> equal_weights() {
    PerNode<std::uint32_t> w;
    std::fill(w.begin(), w.end(), 1U);
    return w;
}

TEST(Cohort, MostNodesFirst) {
    const auto c = links({{1, 2}, {3, 4}, {4, 5}, {3, 5}});
    EXPECT_EQ(best_clique(NodeSet{0b11111}, c, equal_weights()), NodeSet{0b11100});
}

TEST(Cohort, ThenWeight) {
    auto w = equal_weights();
    w[NodeNumber{3}] = 2;
    const auto c = links({{1, 2}, {3, 4}});
    EXPECT_EQ(best_clique(NodeSet{0b1111}, c, equal_weights()), NodeSet{0b0011});
    EXPECT_EQ(best_clique(NodeSet{0b1111}, c, w), NodeSet{0b1100});
}

TEST(Cohort, ThenTheLowestNumbers) {
    const auto c = links({{1, 4}, {2, 3}, {1, 3}});
    EXPECT_EQ(best_clique(NodeSet{0b1111}, c, equal_weights()), NodeSet{0b0101});
}

TEST(Cohort, AnEdgeNeedsBothEnds) {
    PerNode<NodeSet> c;
    c[NodeNumber{1}].insert(NodeNumber{2});
    EXPECT_EQ(best_clique(NodeSet{0b11}, c, equal_weights()), NodeSet{0b01});
}

TEST(Cohort, NobodyIsNobody) {
    EXPECT_TRUE(best_clique(NodeSet{}, PerNode<NodeSet>{}, equal_weights()).empty());
}

/// All subsets, compared as the rule says. Shares nothing with the search.
NodeSet by_brute_force(unsigned n, const PerNode<NodeSet>& c, const PerNode<std::uint32_t>& w) {
    std::vector<unsigned> best;
    std::uint64_t best_weight = 0;
    for (std::uint64_t bits = 1; bits < (std::uint64_t{1} << n); ++bits) {
        std::vector<unsigned> list;
        std::uint64_t weight = 0;
        for (unsigned i = 1; i <= n; ++i) {
            if ((bits >> (i - 1) & 1U) != 0) {
                list.push_back(i);
                weight += w[NodeNumber{i}];
            }
        }
        const bool clique = std::all_of(list.begin(), list.end(), [&](unsigned a) {
            return std::all_of(list.begin(), list.end(), [&](unsigned b) {
                return a == b || (c[NodeNumber{a}].contains(NodeNumber{b}) &&
                                  c[NodeNumber{b}].contains(NodeNumber{a}));
            });
        });
        if (!clique) {
            continue;
        }
        const bool better = list.size() != best.size() ? list.size() > best.size()
                            : weight != best_weight    ? weight > best_weight
                                                       : list < best;
        if (better) {
            best = list;
            best_weight = weight;
        }
    }
    NodeSet set;
    for (const unsigned i : best) {
        set.insert(NodeNumber{i});
    }
    return set;
}

TEST(Cohort, EqualsBruteForceOnRandomGraphs) {
    std::uint64_t state = 42;
    const auto random = [&state](std::uint64_t bound) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33) % bound;
    };
    for (int round = 0; round < 400; ++round) {
        const auto n = static_cast<unsigned>(1 + random(10));
        PerNode<NodeSet> c;
        PerNode<std::uint32_t> w;
        for (unsigned a = 1; a <= n; ++a) {
            w[NodeNumber{a}] = static_cast<std::uint32_t>(random(3));
            for (unsigned b = 1; b <= n; ++b) {
                if (a != b && random(10) < 7) {
                    c[NodeNumber{a}].insert(NodeNumber{b});
                }
            }
        }
        const NodeSet all{(std::uint64_t{1} << n) - 1};
        ASSERT_EQ(best_clique(all, c, w), by_brute_force(n, c, w)) << "round " << round;
    }
}

// 64 nodes in 32 pairs that cannot reach each other: 2^32 cliques of the same size. The search must
// not visit them.
TEST(Cohort, ManyEquallyGoodCliquesAreNoTrap) {
    PerNode<NodeSet> c;
    for (unsigned a = 1; a <= 64; ++a) {
        for (unsigned b = 1; b <= 64; ++b) {
            if (a != b && (a - 1) / 2 != (b - 1) / 2) {
                c[NodeNumber{a}].insert(NodeNumber{b});
            }
        }
    }
    const NodeSet best = best_clique(NodeSet{~std::uint64_t{0}}, c, equal_weights());
    EXPECT_EQ(best, NodeSet{0x5555555555555555U});
}

}  // namespace
}  // namespace css::core
