#include "voting/quorum/quorum.h"

#include <gtest/gtest.h>

namespace css::voting {
namespace {

FileSet set(std::uint16_t bits) {
    return FileSet{bits};
}

// PROTOCOL 2: more than half of the files configured, reachable or not. Every subset of 1, 3 and 5
// files, so the table is the rule.
TEST(Quorum, TruthTableOf1And3And5Files) {
    struct Row {
        unsigned files;
        unsigned needed;
    };
    for (const Row row : {Row{1, 1}, Row{3, 2}, Row{5, 3}}) {
        const FileSet all = set(static_cast<std::uint16_t>((1U << row.files) - 1));
        for (std::uint16_t bits = 0; bits <= all.bits(); ++bits) {
            const bool enough = set(bits).count() >= row.needed;
            EXPECT_EQ(is_majority(all, set(bits)), enough) << row.files << ' ' << bits;
            EXPECT_EQ((Quorum{all, FileSet{}}.reached_by(set(bits))), enough);
        }
        EXPECT_EQ((Quorum{all, FileSet{}}.needed()), row.needed);
    }
}

TEST(Quorum, FilesThatAreNotConfiguredDoNotCount) {
    EXPECT_FALSE(is_majority(set(0b00111), set(0b11001)));
    EXPECT_TRUE(is_majority(set(0b00111), set(0b11011)));
}

TEST(Quorum, TwoMajoritiesAlwaysMeet) {
    for (const std::uint16_t all : std::initializer_list<std::uint16_t>{0b1, 0b111, 0b11111}) {
        for (std::uint16_t a = 0; a <= all; ++a) {
            for (std::uint16_t b = 0; b <= all; ++b) {
                if (is_majority(set(all), set(a)) && is_majority(set(all), set(b))) {
                    EXPECT_FALSE((set(a) & set(b)).empty());
                }
            }
        }
    }
}

// PROTOCOL 7, Voting files: while the set changes, a majority of each.
TEST(Quorum, JointSetsNeedBothMajorities) {
    const Quorum joint{set(0b000111), set(0b111000)};
    for (std::uint16_t bits = 0; bits < 64; ++bits) {
        const bool both = set(bits & 0b000111).count() >= 2 && set(bits & 0b111000).count() >= 2;
        EXPECT_EQ(joint.reached_by(set(bits)), both) << bits;
    }
}

TEST(Quorum, LatestReachedIsTheMajoritysTime) {
    const auto at = [](FileIndex f) {
        return Instant{} + std::chrono::seconds{std::array{5, 9, 1, 7, 3}[f.index()]};
    };
    EXPECT_EQ((Quorum{set(0b00111), FileSet{}}.latest_reached(at)),
              Instant{} + std::chrono::seconds{5});
    EXPECT_EQ((Quorum{set(0b11111), FileSet{}}.latest_reached(at)),
              Instant{} + std::chrono::seconds{5});
    EXPECT_EQ((Quorum{set(0b00001), FileSet{}}.latest_reached(at)),
              Instant{} + std::chrono::seconds{5});
    // Two sets: the smaller of the two.
    EXPECT_EQ((Quorum{set(0b00001), set(0b10100)}.latest_reached(at)),
              Instant{} + std::chrono::seconds{1});
    EXPECT_EQ(Quorum{}.latest_reached(at), kNever);
}

// PROTOCOL 4: of a set that a record adds, D is at least the time of its adoption.
TEST(Quorum, EachSetHasAFloorOfItsOwn) {
    const auto second = [](int s) { return Instant{} + std::chrono::seconds{s}; };
    const auto at = [&](FileIndex f) { return second(f.index() < 3 ? 20 : 0); };
    const Quorum joint{set(0b000111), set(0b111000)};
    EXPECT_EQ(joint.latest_reached(at), second(0));
    EXPECT_EQ(joint.latest_reached(at, second(1), second(15)), second(15));
    EXPECT_EQ(joint.latest_reached(at, second(1), second(25)), second(20));
    const Quorum alone{set(0b111000), FileSet{}};
    EXPECT_EQ(alone.latest_reached(at, second(15), second(40)), second(15));
}

}  // namespace
}  // namespace css::voting
