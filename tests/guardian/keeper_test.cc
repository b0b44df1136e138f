#include "kill_block/guardian/keeper.h"

#include <gtest/gtest.h>

namespace css::guardian {
namespace {

using std::chrono::seconds;

constexpr Instant at(int s) {
    return Instant{seconds{s}};
}
constexpr Duration kLastWords = std::chrono::milliseconds{200};

Instance life(std::uint32_t unique) {
    return Instance{NodeNumber{1}, Unique{unique}};
}

class KeeperTest : public ::testing::Test {
protected:
    KeeperTest() { keeper_.take_daemon(kLastWords); }

    Refusal lease(std::uint64_t serial, Instant end, bool armed = true, std::size_t clients = 1) {
        return keeper_.take_lease(
            LeaseOrder{.instance = life(1), .serial = serial, .end = end, .armed = armed}, clients);
    }
    Refusal final(std::uint64_t serial, Instant end) {
        return keeper_.take_lease(
            LeaseOrder{
                .instance = life(1), .serial = serial, .end = end, .armed = true, .final = true},
            1);
    }
    Refusal release(std::uint64_t serial, std::size_t clients) {
        return keeper_.take_lease(
            LeaseOrder{.instance = life(1), .serial = serial, .released = true}, clients);
    }
    Refusal next_life(std::size_t clients, std::uint32_t unique = 2) {
        return keeper_.take_lease(LeaseOrder{.instance = life(unique), .serial = 1, .end = at(100)},
                                  clients);
    }

    Keeper keeper_;
};

TEST_F(KeeperTest, S8_ArmedEndPassedKillsClientsAtOnceAndDaemonAfterItsLastWords) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    const Instant before = at(10) - Duration{1};
    EXPECT_FALSE(keeper_.duties(before).kill_clients);
    EXPECT_EQ(keeper_.duties(before).wake_at, at(10));
    const Duties due = keeper_.duties(at(10));
    EXPECT_TRUE(due.kill_clients);
    EXPECT_TRUE(due.revoke_page);
    EXPECT_FALSE(due.kill_daemon);
    EXPECT_EQ(due.wake_at, at(10) + kLastWords);
    EXPECT_TRUE(keeper_.duties(at(10) + kLastWords).kill_daemon);
}

TEST_F(KeeperTest, S8_UnarmedEndPassedOnlyEndsTheDaemon) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    EXPECT_FALSE(keeper_.duties(at(10)).kill_daemon);
    const Duties due = keeper_.duties(at(11));
    EXPECT_TRUE(due.kill_daemon);
    EXPECT_FALSE(due.kill_clients);
    EXPECT_FALSE(keeper_.fencing());
}

TEST_F(KeeperTest, S8_ArmedOnceStaysArmed) {
    ASSERT_EQ(lease(1, at(10), true), Refusal::kNone);
    ASSERT_EQ(lease(2, at(20), false), Refusal::kNone);
    EXPECT_TRUE(keeper_.duties(at(20)).kill_clients);
}

TEST_F(KeeperTest, S8_DeathOfAnArmedDaemonFencesAtOnce) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    keeper_.daemon_died(at(3));
    EXPECT_TRUE(keeper_.duties(at(3)).kill_clients);
    EXPECT_FALSE(keeper_.may_take_daemon(1));
    EXPECT_FALSE(keeper_.take_last_gasp(at(3), 1).has_value());
    const auto gasp = keeper_.take_last_gasp(at(4), 0);
    ASSERT_TRUE(gasp.has_value());
    EXPECT_EQ(gasp->reason, FenceReason::kDaemonDied);
    EXPECT_EQ(gasp->begun, at(3));
    EXPECT_EQ(gasp->finished, at(4));
    EXPECT_FALSE(keeper_.take_last_gasp(at(5), 0).has_value());
    EXPECT_TRUE(keeper_.may_take_daemon(0));
}

TEST_F(KeeperTest, S8_DeathOfAnUnarmedOrReleasedDaemonFencesNobody) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    keeper_.daemon_died(at(3));
    EXPECT_FALSE(keeper_.duties(at(50)).kill_clients);
    EXPECT_TRUE(keeper_.duties(at(50)).revoke_page);
    EXPECT_TRUE(keeper_.may_take_daemon(1));

    Keeper released;
    released.take_daemon(kLastWords);
    released.take_lease({.instance = life(1), .serial = 1, .end = at(9), .armed = true}, 0);
    released.take_lease({.instance = life(1), .serial = 2, .released = true}, 0);
    released.daemon_died(at(3));
    EXPECT_FALSE(released.fencing());
    EXPECT_FALSE(released.duties(at(50)).kill_clients);
}

TEST_F(KeeperTest, S8_ACutEndIsIrrevocable) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    ASSERT_EQ(final(2, at(5)), Refusal::kNone);
    EXPECT_EQ(lease(3, at(6)), Refusal::kCut);
    EXPECT_EQ(lease(4, at(4)), Refusal::kNone);  // Still earlier is fine.
    EXPECT_EQ(lease(5, at(5)), Refusal::kCut);
    EXPECT_TRUE(keeper_.duties(at(4)).kill_clients);
}

TEST_F(KeeperTest, APassedEndIsNotRenewed) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    static_cast<void>(keeper_.duties(at(10)));
    EXPECT_EQ(lease(2, at(20), false), Refusal::kPassed);
    EXPECT_EQ(next_life(1), Refusal::kNone);  // A JOINING instance begins again.
    EXPECT_FALSE(keeper_.duties(at(11)).kill_daemon);
}

TEST_F(KeeperTest, AnEarlierEndIsTakenEvenIfItHasPassed) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    ASSERT_EQ(lease(2, at(5)), Refusal::kNone);
    EXPECT_TRUE(keeper_.duties(at(6)).kill_clients);
}

TEST_F(KeeperTest, SerialsGrow) {
    ASSERT_EQ(lease(2, at(10)), Refusal::kNone);
    EXPECT_EQ(lease(2, at(11)), Refusal::kOldSerial);
    EXPECT_EQ(lease(1, at(11)), Refusal::kOldSerial);
}

TEST_F(KeeperTest, S8_ReleaseNeedsEveryClientGone) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    EXPECT_EQ(release(2, 1), Refusal::kClientsLeft);
    EXPECT_EQ(release(3, 0), Refusal::kNone);
    EXPECT_EQ(lease(4, at(20)), Refusal::kReleased);
    EXPECT_FALSE(keeper_.may_take_client());
    EXPECT_TRUE(keeper_.may_shut_down(0));
    EXPECT_FALSE(keeper_.duties(at(50)).kill_daemon);
}

TEST_F(KeeperTest, S8_ANewInstanceNeedsTheFormerReleasedOrItsClientsGone) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    EXPECT_EQ(next_life(1), Refusal::kClientsLeft);
    EXPECT_EQ(next_life(0), Refusal::kNone);
    EXPECT_EQ(lease(9, at(10)), Refusal::kOldInstance);
}

TEST_F(KeeperTest, DrainTakesNoClientAndKillsAtItsDeadline) {
    ASSERT_EQ(lease(1, at(100)), Refusal::kNone);
    EXPECT_TRUE(keeper_.may_take_client());
    const Message drain{
        .kind = Kind::kDrain, .instance = life(1), .time = at(7).time_since_epoch().count()};
    ASSERT_EQ(keeper_.order_drain(drain), Refusal::kNone);
    EXPECT_FALSE(keeper_.may_take_client());
    EXPECT_FALSE(keeper_.duties(at(6)).kill_clients);
    EXPECT_EQ(keeper_.duties(at(6)).wake_at, at(7));
    EXPECT_TRUE(keeper_.duties(at(7)).kill_clients);
    EXPECT_FALSE(keeper_.fencing());
}

TEST_F(KeeperTest, AnOrderedFenceGivesTheDaemonItsDeadline) {
    ASSERT_EQ(lease(1, at(100)), Refusal::kNone);
    const Message fence{.kind = Kind::kFence,
                        .instance = life(1),
                        .time = at(9).time_since_epoch().count(),
                        .reason = 2,
                        .by = NodeNumber{5}};
    ASSERT_EQ(keeper_.order_fence(at(5), fence), Refusal::kNone);
    EXPECT_TRUE(keeper_.duties(at(5)).kill_clients);
    EXPECT_FALSE(keeper_.duties(at(8)).kill_daemon);
    EXPECT_TRUE(keeper_.duties(at(9)).kill_daemon);
    EXPECT_EQ(lease(2, at(200)), Refusal::kCut);
    EXPECT_FALSE(keeper_.may_shut_down(1));
    EXPECT_TRUE(keeper_.may_shut_down(0));
    const auto gasp = keeper_.take_last_gasp(at(6), 0);
    ASSERT_TRUE(gasp.has_value());
    EXPECT_EQ(gasp->stop_reason, 2);
    EXPECT_EQ(gasp->by, NodeNumber{5});
}

TEST_F(KeeperTest, RefusesWhatGuardsNothing) {
    EXPECT_EQ(lease(1, kForever), Refusal::kMalformed);
    EXPECT_EQ(keeper_.take_lease(LeaseOrder{.serial = 1, .end = at(1)}, 0), Refusal::kMalformed);
    EXPECT_EQ(keeper_.order_drain(Message{.kind = Kind::kDrain}), Refusal::kOldInstance);
}

}  // namespace
}  // namespace css::guardian
