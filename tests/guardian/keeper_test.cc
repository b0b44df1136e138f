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

constexpr Situation clients(std::size_t count) {
    return Situation{.clients = count};
}

class KeeperTest : public ::testing::Test {
protected:
    KeeperTest() { keeper_.take_daemon(kLastWords); }

    Refusal lease(std::uint64_t serial, Instant end, bool armed = true, std::size_t count = 1) {
        return keeper_.take_lease(at(0),
                                  LeaseOrder{.instance = life(1),
                                             .serial = serial,
                                             .end = end,
                                             .armed = armed,
                                             .reboottime = reboottime_},
                                  clients(count));
    }
    Refusal final(std::uint64_t serial, Instant end) {
        return keeper_.take_lease(
            at(0),
            LeaseOrder{
                .instance = life(1), .serial = serial, .end = end, .armed = true, .final = true},
            clients(1));
    }
    Refusal release(std::uint64_t serial, std::size_t count) {
        return keeper_.take_lease(
            at(0),
            LeaseOrder{.instance = life(1), .serial = serial, .released = true},
            clients(count));
    }
    Refusal next_life(std::size_t count, std::uint32_t unique = 2) {
        return keeper_.take_lease(at(0),
                                  LeaseOrder{.instance = life(unique), .serial = 1, .end = at(100)},
                                  clients(count));
    }
    Duties duties(Instant now, std::size_t count = 1) {
        return keeper_.duties(now, clients(count));
    }
    void act(Action action, bool hook = false) {
        keeper_.set_policy({.action = action, .drain_hook = hook});
    }

    Keeper keeper_;
    Duration reboottime_{};  ///< Of the leases told.
};

TEST_F(KeeperTest, S8_ArmedEndPassedKillsClientsAtOnceAndDaemonAfterItsLastWords) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    const Instant before = at(10) - Duration{1};
    EXPECT_FALSE(duties(before).kill_clients);
    EXPECT_EQ(duties(before).wake_at, at(10));
    const Duties due = duties(at(10));
    EXPECT_TRUE(due.kill_clients);
    EXPECT_TRUE(due.revoke_page);
    EXPECT_FALSE(due.kill_daemon);
    EXPECT_EQ(due.wake_at, at(10) + kLastWords);
    EXPECT_TRUE(duties(at(10) + kLastWords).kill_daemon);
}

TEST_F(KeeperTest, S8_UnarmedEndPassedOnlyEndsTheDaemon) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    EXPECT_FALSE(duties(at(10)).kill_daemon);
    const Duties due = duties(at(11));
    EXPECT_TRUE(due.kill_daemon);
    EXPECT_FALSE(due.kill_clients);
    EXPECT_FALSE(keeper_.fencing());
}

TEST_F(KeeperTest, S8_ArmedOnceStaysArmed) {
    ASSERT_EQ(lease(1, at(10), true), Refusal::kNone);
    ASSERT_EQ(lease(2, at(20), false), Refusal::kNone);
    EXPECT_TRUE(duties(at(20)).kill_clients);
}

TEST_F(KeeperTest, S8_DeathOfAnArmedDaemonFencesAtOnce) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    keeper_.daemon_died(at(3));
    EXPECT_TRUE(duties(at(3)).kill_clients);
    EXPECT_FALSE(keeper_.may_take_daemon(clients(1)));
    EXPECT_FALSE(keeper_.take_last_gasp(at(3), clients(1)).has_value());
    const auto gasp = keeper_.take_last_gasp(at(4), clients(0));
    ASSERT_TRUE(gasp.has_value());
    EXPECT_EQ(gasp->reason, FenceReason::kDaemonDied);
    EXPECT_EQ(gasp->begun, at(3));
    EXPECT_EQ(gasp->finished, at(4));
    EXPECT_FALSE(keeper_.take_last_gasp(at(5), clients(0)).has_value());
    EXPECT_TRUE(keeper_.may_take_daemon(clients(0)));
}

TEST_F(KeeperTest, S8_DeathOfAnUnarmedOrReleasedDaemonFencesNobody) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    keeper_.daemon_died(at(3));
    EXPECT_FALSE(duties(at(50)).kill_clients);
    EXPECT_TRUE(duties(at(50)).revoke_page);
    EXPECT_TRUE(keeper_.may_take_daemon(clients(1)));

    Keeper released;
    released.take_daemon(kLastWords);
    released.take_lease(
        at(0), {.instance = life(1), .serial = 1, .end = at(9), .armed = true}, clients(0));
    released.take_lease(at(0), {.instance = life(1), .serial = 2, .released = true}, clients(0));
    released.daemon_died(at(3));
    EXPECT_FALSE(released.fencing());
    EXPECT_FALSE(released.duties(at(50), clients(0)).kill_clients);
}

TEST_F(KeeperTest, S8_ACutEndIsIrrevocable) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    ASSERT_EQ(final(2, at(5)), Refusal::kNone);
    EXPECT_EQ(lease(3, at(6)), Refusal::kCut);
    EXPECT_EQ(lease(4, at(4)), Refusal::kNone);  // Still earlier is fine.
    EXPECT_EQ(lease(5, at(5)), Refusal::kCut);
    EXPECT_TRUE(duties(at(4)).kill_clients);
}

TEST_F(KeeperTest, APassedEndIsNotRenewed) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    static_cast<void>(duties(at(10)));
    EXPECT_EQ(lease(2, at(20), false), Refusal::kPassed);
    EXPECT_EQ(next_life(1), Refusal::kNone);  // A JOINING instance begins again.
    EXPECT_FALSE(duties(at(11)).kill_daemon);
}

TEST_F(KeeperTest, AnEarlierEndIsTakenEvenIfItHasPassed) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    ASSERT_EQ(lease(2, at(5)), Refusal::kNone);
    EXPECT_TRUE(duties(at(6)).kill_clients);
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
    EXPECT_TRUE(keeper_.may_shut_down(clients(0)));
    EXPECT_FALSE(duties(at(50)).kill_daemon);
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
    EXPECT_FALSE(duties(at(6)).kill_clients);
    EXPECT_EQ(duties(at(6)).wake_at, at(7));
    EXPECT_TRUE(duties(at(7)).kill_clients);
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
    EXPECT_TRUE(duties(at(5)).kill_clients);
    EXPECT_FALSE(duties(at(8)).kill_daemon);
    EXPECT_TRUE(duties(at(9)).kill_daemon);
    EXPECT_EQ(lease(2, at(200)), Refusal::kCut);
    EXPECT_FALSE(keeper_.may_shut_down(clients(1)));
    EXPECT_TRUE(keeper_.may_shut_down(clients(0)));
    const auto gasp = keeper_.take_last_gasp(at(6), clients(0));
    ASSERT_TRUE(gasp.has_value());
    EXPECT_EQ(gasp->stop_reason, 2);
    EXPECT_EQ(gasp->by, NodeNumber{5});
}

TEST_F(KeeperTest, RefusesWhatGuardsNothing) {
    EXPECT_EQ(lease(1, kForever), Refusal::kMalformed);
    EXPECT_EQ(keeper_.take_lease(at(0), LeaseOrder{.serial = 1, .end = at(1)}, clients(0)),
              Refusal::kMalformed);
    EXPECT_EQ(keeper_.order_drain(Message{.kind = Kind::kDrain}), Refusal::kOldInstance);
}

// ------------------------------------------------------------------ what follows the end of
// clients

TEST_F(KeeperTest, S8_RebootHaltsClientsSaysResettingWritesItsLineAndResets) {
    act(Action::kReboot);
    reboottime_ = seconds{3};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    const Duties due = duties(at(10));
    EXPECT_TRUE(due.stop_clients);
    EXPECT_TRUE(due.revoke_page);
    EXPECT_EQ(due.say, Farewell::kResetting);
    EXPECT_FALSE(due.reset);  // The line first,
    const auto gasp = keeper_.take_last_gasp(at(10), clients(1));
    ASSERT_TRUE(gasp.has_value());
    EXPECT_TRUE(gasp->reset);
    EXPECT_TRUE(keeper_.duties(at(10), {.clients = 1, .gasp_written = true}).reset);
    // but not for longer than a quarter of reboottime.
    EXPECT_FALSE(duties(at(10) + std::chrono::milliseconds{749}).reset);
    EXPECT_TRUE(duties(at(10) + std::chrono::milliseconds{750}).reset);
}

TEST_F(KeeperTest, AResetThatFailedLeavesTheClientsToBeKilledAndTheWatchdogUnfed) {
    act(Action::kReboot);
    reboottime_ = seconds{3};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    EXPECT_FALSE(duties(at(10)).kill_clients);
    keeper_.note_reset_failed();
    const Duties after = duties(at(11));
    EXPECT_FALSE(after.reset);
    EXPECT_TRUE(after.kill_clients);
    EXPECT_FALSE(duties(at(12), 0).feed_watchdog);
}

TEST_F(KeeperTest, S8_KillClientsEscalatesToAResetInTimeForReboottime) {
    act(Action::kKillClients);
    reboottime_ = seconds{10};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    EXPECT_TRUE(duties(at(10)).kill_clients);
    EXPECT_FALSE(duties(at(18)).reset);
    // A client in the kernel's hands does not die: the reset comes before 10 + 9/10 of reboottime.
    static_cast<void>(duties(at(19) - kResetTime - std::chrono::milliseconds{100}));
    EXPECT_TRUE(duties(at(19) - kResetTime).reset);
}

TEST_F(KeeperTest, ExitNeverResets) {
    reboottime_ = seconds{1};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    static_cast<void>(duties(at(10)));
    const Duties late = duties(at(100));
    EXPECT_FALSE(late.reset);
    EXPECT_FALSE(late.say.has_value());
}

TEST_F(KeeperTest, S8_AClientIsGoneWhenTheDrainHookHasSucceeded) {
    act(Action::kKillClients, true);
    reboottime_ = seconds{10};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    keeper_.daemon_died(at(3));
    EXPECT_FALSE(duties(at(3)).run_drain);
    EXPECT_TRUE(duties(at(4), 0).run_drain);
    EXPECT_EQ(keeper_.left(clients(0)), 1U);
    EXPECT_FALSE(keeper_.may_take_daemon({.drain = Errand::kRunning}));
    EXPECT_NE(keeper_.duties(at(5), {.drain = Errand::kRunning}).say, Farewell::kFenced);
    EXPECT_EQ(keeper_.duties(at(5), {.drain = Errand::kDone}).say, Farewell::kFenced);
    EXPECT_TRUE(keeper_.may_take_daemon({.drain = Errand::kDone}));
}

TEST_F(KeeperTest, S8_ADrainHookThatFailsOrIsLateEscalates) {
    act(Action::kKillClients, true);
    reboottime_ = seconds{10};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    const auto soon = std::chrono::milliseconds{150};
    Keeper late = keeper_;
    static_cast<void>(duties(at(10), 0));
    static_cast<void>(keeper_.duties(at(11), {.drain = Errand::kFailed}));
    EXPECT_TRUE(keeper_.duties(at(12), {.drain = Errand::kFailed}).reset);

    static_cast<void>(late.duties(at(10), clients(0)));
    EXPECT_FALSE(late.duties(at(18), {.drain = Errand::kRunning}).reset);
    static_cast<void>(late.duties(at(19), {.drain = Errand::kRunning}));
    EXPECT_TRUE(late.duties(at(19) + soon, {.drain = Errand::kRunning}).reset);
}

TEST_F(KeeperTest, ADrainHookThatFailsAtACleanLeaveFences) {
    act(Action::kKillClients, true);
    reboottime_ = seconds{10};
    ASSERT_EQ(lease(1, at(1000)), Refusal::kNone);
    const Message drain{
        .kind = Kind::kDrain, .instance = life(1), .time = at(7).time_since_epoch().count()};
    ASSERT_EQ(keeper_.order_drain(drain), Refusal::kNone);
    EXPECT_TRUE(duties(at(5), 0).run_drain);
    EXPECT_EQ(release(2, 0), Refusal::kClientsLeft);
    EXPECT_FALSE(keeper_.duties(at(60), {.drain = Errand::kRunning}).reset);
    static_cast<void>(keeper_.duties(at(61), {.drain = Errand::kFailed}));
    EXPECT_TRUE(keeper_.fencing());
    EXPECT_TRUE(keeper_.duties(at(62), {.drain = Errand::kFailed}).reset);
}

TEST_F(KeeperTest, S8_TheCommandComesFirstAndWhatItLeavesIsKilled) {
    act(Action::kCommand);
    reboottime_ = seconds{10};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    const Duties due = duties(at(10));
    EXPECT_TRUE(due.run_command);
    EXPECT_FALSE(due.kill_clients);
    EXPECT_EQ(keeper_.left({.command = Errand::kRunning}), 1U);
    const Duties done = keeper_.duties(at(12), {.clients = 1, .command = Errand::kDone});
    EXPECT_TRUE(done.kill_clients);
    EXPECT_FALSE(done.reset);
    EXPECT_EQ(keeper_.left({.command = Errand::kDone}), 0U);
}

TEST_F(KeeperTest, S8_ACommandThatFailsOrIsLateEscalates) {
    for (const bool fails : {true, false}) {
        Keeper keeper;
        keeper.take_daemon(kLastWords);
        keeper.set_policy({.action = Action::kCommand});
        ASSERT_EQ(keeper.take_lease(at(0),
                                    {.instance = life(1),
                                     .serial = 1,
                                     .end = at(10),
                                     .armed = true,
                                     .reboottime = seconds{10}},
                                    clients(1)),
                  Refusal::kNone);
        const Situation now{.clients = 1, .command = fails ? Errand::kFailed : Errand::kRunning};
        static_cast<void>(keeper.duties(at(10), now));
        const Instant seen = fails ? at(11) : at(15);  // Half of the time until the reset is due.
        static_cast<void>(keeper.duties(seen, now));
        EXPECT_TRUE(keeper.duties(seen + std::chrono::milliseconds{100}, now).reset) << fails;
        EXPECT_TRUE(keeper.duties(seen, now).kill_clients) << fails;
    }
}

TEST_F(KeeperTest, E1_FencedIsSaidWhenTheDaemonIsDeadAndEveryClientGoneNeverBefore) {
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    EXPECT_FALSE(duties(at(10), 0).say.has_value());  // The daemon lives: it may still write.
    keeper_.daemon_died(at(11));
    EXPECT_FALSE(duties(at(11), 1).say.has_value());
    EXPECT_EQ(duties(at(12), 0).say, Farewell::kFenced);
    EXPECT_EQ(release(2, 0), Refusal::kNone);
    EXPECT_FALSE(duties(at(13), 0).say.has_value());
}

TEST_F(KeeperTest, NothingIsSaidOfAnInstanceThatWasNeverArmed) {
    ASSERT_EQ(lease(1, at(10), false), Refusal::kNone);
    keeper_.daemon_died(at(3));
    EXPECT_FALSE(duties(at(4), 0).say.has_value());
}

// -------------------------------------------------------------------------------- the watchdog

TEST_F(KeeperTest, S8_TheWatchdogIsFedBeforeTheEndAndAgainWhenNoClientIsLeft) {
    reboottime_ = seconds{3};
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    EXPECT_TRUE(duties(at(10) - Duration{1}).feed_watchdog);
    EXPECT_FALSE(duties(at(10)).feed_watchdog);
    EXPECT_FALSE(duties(at(11)).feed_watchdog);
    EXPECT_TRUE(duties(at(12), 0).feed_watchdog);
}

TEST_F(KeeperTest, S2_WatchdogTimeoutFitsIntoNineTenthsOfReboottime) {
    for (const int ms : {500, 1600, 1620, 3000, 10000, 60000}) {
        const Duration reboottime = std::chrono::milliseconds{ms};
        const auto timeout = watchdog_timeout(reboottime);
        const Duration whole = timeout + kFeedPeriod + kResetTime;
        EXPECT_TRUE(timeout.count() == 0 || reboottime * 9 >= whole * 10) << ms;
        EXPECT_LT(reboottime * 9, (whole + seconds{1}) * 10) << ms;  // Nor any shorter than that.
    }
    EXPECT_EQ(watchdog_timeout(seconds{3}), seconds{2});
    EXPECT_EQ(watchdog_timeout(std::chrono::milliseconds{1600}), seconds{0});
}

// ------------------------------------------------------------------------- the local heartbeat

TEST_F(KeeperTest, L1_ASilentDaemonIsToldOfAtHalfThreeQuartersAndNineTenthsOfItsLease) {
    ASSERT_EQ(lease(1, at(100)), Refusal::kNone);  // Told at 0.
    EXPECT_EQ(duties(at(10)).wake_at, at(50));
    EXPECT_FALSE(duties(at(49)).warn.has_value());
    const Duties half = duties(at(50));
    ASSERT_TRUE(half.warn.has_value());
    EXPECT_EQ(half.warn->percent, 50U);
    EXPECT_EQ(half.warn->remaining, seconds{50});
    EXPECT_FALSE(duties(at(51)).warn.has_value());  // Once.
    EXPECT_EQ(duties(at(75)).warn->percent, 75U);
    EXPECT_EQ(duties(at(95)).warn->percent, 90U);
}

/// With its disks silent the end stands still while the daemon goes on telling it.
TEST_F(KeeperTest, L1_ADaemonThatRepeatsAnEndIsNotSilent) {
    const auto tell = [this](std::uint64_t serial, int second) {
        return keeper_.take_lease(
            at(second),
            {.instance = life(1), .serial = serial, .end = at(100), .armed = true},
            clients(1));
    };
    for (int second = 0; second < 99; ++second) {
        ASSERT_EQ(tell(static_cast<std::uint64_t>(second) + 1, second), Refusal::kNone);
        EXPECT_FALSE(duties(at(second + 1) - Duration{1}).warn.has_value()) << second;
    }
}

// ------------------------------------------------------------------------------ former clients

TEST(KeeperFormer, S8_ClientsOfAFormerDaemonAreKilledBeforeAnotherIsTaken) {
    Keeper keeper;
    keeper.set_policy({.action = Action::kReboot});  // They are no reason to reset this host.
    keeper.take_former(at(1));
    const Duties due = keeper.duties(at(1), clients(1));
    EXPECT_TRUE(due.kill_clients);
    EXPECT_FALSE(due.reset);
    EXPECT_FALSE(due.say.has_value());
    EXPECT_FALSE(keeper.may_take_daemon(clients(1)));
    EXPECT_TRUE(keeper.may_take_daemon(clients(0)));
    EXPECT_FALSE(keeper.duties(at(1000), clients(1)).reset);
}

TEST_F(KeeperTest, AResetThatTheDaemonAsksForNeedsNoLease) {
    act(Action::kKillClients);
    ASSERT_EQ(lease(1, at(10)), Refusal::kNone);
    ASSERT_EQ(release(2, 0), Refusal::kNone);
    keeper_.order_reset(at(5));
    EXPECT_TRUE(duties(at(6), 0).reset);
}

}  // namespace
}  // namespace css::guardian
