#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "cssd/base/check.h"

namespace css::sim {

/// Our own generator (xoshiro256**, seeded by splitmix64), so that a seed means the same run on
/// every compiler and library. Integers only: a probability is a ratio.
class Prng {
public:
    Prng(std::uint64_t seed, std::uint64_t stream) {
        std::uint64_t state = seed * 0x9e3779b97f4a7c15U + stream * 0xd1342543de82ef95U + 1;
        for (std::uint64_t& word : state_) {
            state += 0x9e3779b97f4a7c15U;
            std::uint64_t z = state;
            z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
            z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
            word = z ^ (z >> 31U);
        }
    }

    std::uint64_t next() {
        const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17U;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return result;
    }
    /// 0..bound-1. The bias of the remainder is of no importance here.
    std::uint64_t below(std::uint64_t bound) {
        CSS_CHECK(bound > 0);
        return next() % bound;
    }
    unsigned index(std::size_t bound) { return static_cast<unsigned>(below(bound)); }
    /// True `of` times out of `out_of`.
    bool chance(std::uint64_t of, std::uint64_t out_of) { return below(out_of) < of; }
    bool coin() { return (next() >> 63U) != 0; }
    /// lowest..highest, both included.
    std::int64_t range(std::int64_t lowest, std::int64_t highest) {
        CSS_CHECK(lowest <= highest);
        return lowest +
               static_cast<std::int64_t>(below(static_cast<std::uint64_t>(highest - lowest) + 1));
    }
    /// lowest..highest with every order of magnitude equally likely: short ones are as frequent as
    /// long ones.
    std::int64_t log_range(std::int64_t lowest, std::int64_t highest) {
        CSS_CHECK(lowest >= 1);
        unsigned doublings = 0;
        while (lowest << (doublings + 1) <= highest) {
            ++doublings;
        }
        const std::int64_t floor = lowest << index(doublings + 1);
        return range(floor, std::min(highest, 2 * floor));
    }
    /// lowest..highest with both ends much more likely than they would be: bugs live there.
    std::int64_t edgy(std::int64_t lowest, std::int64_t highest) {
        const std::uint64_t where = below(6);
        const std::int64_t inside = range(lowest, highest);
        return where == 0 ? lowest : where == 1 ? highest : inside;
    }

private:
    static std::uint64_t rotate(std::uint64_t x, unsigned by) {
        return (x << by) | (x >> (64U - by));
    }
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace css::sim
