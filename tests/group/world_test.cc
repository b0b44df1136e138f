#include "tests/group/world.h"

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

namespace css::group::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// CSS_GROUP_SEEDS=N runs more of each; CSS_GROUP_SEED=S only that one.
std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* const given = std::getenv(name);
    return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

Counters run_seeds(WorldOptions options, Duration troubles, std::uint64_t seeds) {
    Counters sum;
    const std::uint64_t only = number_from("CSS_GROUP_SEED", 0);
    seeds = number_from("CSS_GROUP_SEEDS", seeds);
    for (std::uint64_t seed = only == 0 ? 1 : only; seed <= (only == 0 ? seeds : only); ++seed) {
        options.seed = seed;
        World world{options};
        world.run(troubles);
        if (world.wrong()) {
            ADD_FAILURE() << *world.wrong();
            return sum;
        }
        const Counters& c = world.counters();
        sum.events += c.events;
        sum.missed += c.missed;
        sum.snapshots += c.snapshots;
        sum.fetches += c.fetches;
        sum.views += c.views;
        sum.unknown += c.unknown;
        sum.kills += c.kills;
        sum.answered += c.answered;
    }
    std::printf(
        "events %lu, missed %lu, snapshots %lu, fetches %lu, records %lu, unknown %lu, "
        "kills %lu, answered %lu\n",
        sum.events,
        sum.missed,
        sum.snapshots,
        sum.fetches,
        sum.views,
        sum.unknown,
        sum.kills,
        sum.answered);
    return sum;
}

TEST(GroupWorld, AQuietClusterLosesNothingOnABadNetwork) {
    WorldOptions options;
    options.crashes = options.cuts = false;
    options.loss = 0.2;
    options.twice = 0.2;
    const Counters sum = run_seeds(options, seconds{10}, 10);
    EXPECT_GT(sum.events, 1000U);
    EXPECT_EQ(sum.missed, 0U);
}

TEST(GroupWorld, MembershipChanges) {
    const Counters sum = run_seeds({.nodes = 4}, seconds{60}, 20);
    EXPECT_GT(sum.views, 1000U);
    EXPECT_GT(sum.fetches, 10U);
    EXPECT_GT(sum.kills, 10U);
}

TEST(GroupWorld, AShortHistoryIsMissedAloud) {
    WorldOptions options;
    options.nodes = 3;
    options.history_entries_max = 10;
    const Counters sum = run_seeds(options, seconds{60}, 20);
    EXPECT_GT(sum.snapshots, 20U);
    EXPECT_GT(sum.missed, 20U);
    EXPECT_GT(sum.unknown, 0U);
}

TEST(GroupWorld, LargeDataInManyPieces) {
    WorldOptions options;
    options.data_max = 4000;
    options.history_entries_max = 50;
    options.loss = 0.1;
    static_cast<void>(run_seeds(options, seconds{20}, 5));
}

TEST(GroupWorld, ManyNodes) {
    const Counters sum =
        run_seeds({.nodes = 12, .clients = 1, .history_entries_max = 100}, seconds{30}, 5);
    EXPECT_GT(sum.views, 500U);
}

TEST(GroupWorld, LittleRoomForRequests) {
    static_cast<void>(run_seeds({.clients = 8, .pending_max = 3}, seconds{20}, 5));
}

}  // namespace
}  // namespace css::group::testing
