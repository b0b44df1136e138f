#include "tests/simulator/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cssd/base/mutation.h"

namespace css::sim {
namespace {

TEST(Attempt, TellsACrashByTheCheckThatFailed) {
    Options impossible = draw_options(4, {});
    impossible.slots_max = 1;
    const Attempt result = attempt(impossible);
    EXPECT_TRUE(result.crashed);
    EXPECT_THAT(result.invariant, testing::HasSubstr("check failed: slots_max >= self.value()"));
    EXPECT_FALSE(result.same_failure(attempt(draw_options(4, {}))));
}

TEST(Shrink, KeepsTheFailureAndLittleElse) {
    active_mutation = Mutation::kSkipWait;
    Options failing = draw_options(1, {});
    while (attempt(failing).passed()) {
        failing = draw_options(failing.seed + 1, {});
        ASSERT_LT(failing.seed, 100U);
    }
    const Shrunk shrunk = shrink(failing, 500);
    EXPECT_FALSE(shrunk.ending.passed());
    EXPECT_TRUE(shrunk.ending.same_failure(shrunk.first));
    EXPECT_TRUE(attempt(shrunk.run).same_failure(shrunk.first));
    EXPECT_LE(shrunk.run.schedule.size(), 3U);
    EXPECT_LE(shrunk.run.nodes(), 3U);
    active_mutation = Mutation::kNone;
    EXPECT_TRUE(attempt(shrunk.run).passed()) << "the mutation is to blame, not what is left";
}

TEST(Shrink, LeavesARunThatPasses) {
    const Options passing = draw_options(4, {});
    const Shrunk shrunk = shrink(passing, 10);
    EXPECT_TRUE(shrunk.first.passed());
    EXPECT_EQ(shrunk.run.schedule, passing.schedule);
}

}  // namespace
}  // namespace css::sim
