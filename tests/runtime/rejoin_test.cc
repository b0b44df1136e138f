#include "cssd/runtime/rejoin.h"

#include <gtest/gtest.h>

namespace css::runtime {
namespace {

using std::chrono::seconds;
using Step = Rejoin::Step;

constexpr Instant at(int s) {
    return Instant{seconds{s}};
}

TEST(Rejoin, ThreeTriesAnIntervalApartThenItGivesUp) {
    Rejoin rejoin{3, seconds{300}};
    EXPECT_EQ(rejoin.due(), kForever);
    EXPECT_EQ(rejoin.look(at(1), false), Step::kNothing);
    EXPECT_EQ(rejoin.begin(at(1000)), Step::kTry);  // At once.
    EXPECT_EQ(rejoin.number(), 1U);
    EXPECT_EQ(rejoin.due(), at(1300));
    EXPECT_EQ(rejoin.look(at(1299), false), Step::kNothing);
    EXPECT_EQ(rejoin.look(at(1300), false), Step::kTry);
    EXPECT_EQ(rejoin.look(at(1600), false), Step::kTry);
    EXPECT_EQ(rejoin.number(), 3U);
    EXPECT_EQ(rejoin.look(at(1899), false), Step::kNothing);
    EXPECT_EQ(rejoin.look(at(1900), false), Step::kGiveUp);
    EXPECT_EQ(rejoin.look(at(9999), false), Step::kNothing);
}

TEST(Rejoin, DoneWhenActiveAndTheNextFenceHasAllTriesAgain) {
    Rejoin rejoin{2, seconds{10}};
    EXPECT_EQ(rejoin.begin(at(0)), Step::kTry);
    EXPECT_EQ(rejoin.look(at(3), true), Step::kDone);
    EXPECT_EQ(rejoin.look(at(50), false), Step::kNothing);
    EXPECT_EQ(rejoin.begin(at(60)), Step::kTry);
    EXPECT_EQ(rejoin.look(at(70), false), Step::kTry);
    EXPECT_EQ(rejoin.look(at(80), false), Step::kGiveUp);
}

TEST(Rejoin, WithoutTriesItGivesUpAtOnce) {
    EXPECT_EQ((Rejoin{0, seconds{10}}).begin(at(0)), Step::kGiveUp);
}

}  // namespace
}  // namespace css::runtime
