#include <csignal>

#include <gtest/gtest.h>

#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

constexpr Duration kHour = std::chrono::hours{1};

TEST(GuardianRestart, ASecondDaemonWaitsForTheFirstAndItsClients) {
    RunDir dir;
    Daemon first = dir.start();
    ASSERT_FALSE(first.hear("ready").empty());
    const Process client = Process::sleeper();
    ASSERT_TRUE(first.enlist(1, client.pid()));
    ASSERT_TRUE(first.hold(1, now() + kHour, "a"));

    Daemon second = dir.start();
    EXPECT_EQ(second.hear("waiting cssdagent"), "waiting cssdagent alive 1");
    second.lease(1, now() + kHour, "a");  // Kept back.
    EXPECT_TRUE(second.stays_silent("acked", milliseconds{100}));
    EXPECT_TRUE(client.is_alive());

    first.signal(SIGKILL);
    ASSERT_FALSE(second.hear("ready").empty());
    EXPECT_FALSE(client.is_alive());
    EXPECT_FALSE(first.is_alive());
    EXPECT_EQ(second.hear("acked"), "acked 1 1");
}

TEST(GuardianRestart, GuardiansOutliveTheDaemonAndServeTheNext) {
    RunDir dir;
    pid_t agent = 0;
    {
        Daemon daemon = dir.start();
        ASSERT_FALSE(daemon.hear("ready").empty());
        agent = dir.guardian("cssdagent");
        ASSERT_GT(agent, 0);
    }
    Daemon next = dir.start();
    ASSERT_FALSE(next.hear("ready").empty());
    EXPECT_EQ(dir.guardian("cssdagent"), agent);
}

TEST(GuardianRestart, AMissingGuardianIsStartedAgain) {
    RunDir dir;
    pid_t agent = 0;
    {
        Daemon daemon = dir.start();
        ASSERT_FALSE(daemon.hear("ready").empty());
        agent = dir.guardian("cssdagent");
    }
    kill(agent, SIGKILL);
    ASSERT_TRUE(wait_for_pid_to_end(agent));
    Daemon next = dir.start();
    ASSERT_FALSE(next.hear("ready").empty());
    EXPECT_NE(dir.guardian("cssdagent"), agent);
}

TEST(GuardianRestart, ANewInstanceOfTheSameDaemonIsTakenUnlessClientsOfAnArmedOneAreLeft) {
    RunDir dir;
    Daemon daemon = dir.start();
    ASSERT_FALSE(daemon.hear("ready").empty());
    const Process client = Process::sleeper();
    ASSERT_TRUE(daemon.enlist(1, client.pid()));
    ASSERT_TRUE(daemon.hold(1, now() + kHour, "-"));
    daemon.tell("instance 2");
    ASSERT_TRUE(daemon.hold(1, now() + kHour, "a"));
    daemon.tell("instance 3");
    daemon.lease(1, now() + kHour, "-");
    EXPECT_NE(daemon.hear("lost").find("clients of an armed instance are left"), std::string::npos);
}

TEST(GuardianRestart, ShutdownEndsBothWhenNothingIsGuarded) {
    RunDir dir;
    Daemon daemon = dir.start();
    ASSERT_FALSE(daemon.hear("ready").empty());
    const pid_t agent = dir.guardian("cssdagent");
    const pid_t monitor = dir.guardian("cssdmonitor");
    ASSERT_TRUE(daemon.hold(1, now() + kHour, "a"));
    ASSERT_TRUE(daemon.hold(2, now(), "r"));
    daemon.tell("shutdown");
    EXPECT_TRUE(wait_for_pid_to_end(agent));
    EXPECT_TRUE(wait_for_pid_to_end(monitor));
    EXPECT_TRUE(daemon.stays_silent("lost", milliseconds{50}));
    EXPECT_EQ(dir.guardian("cssdagent"), 0);  // The pid file is gone.
}

TEST(GuardianRestart, ShutdownIsRefusedWhileArmed) {
    RunDir dir;
    Daemon daemon = dir.start();
    ASSERT_FALSE(daemon.hear("ready").empty());
    ASSERT_TRUE(daemon.hold(1, now() + kHour, "a"));
    const Process client = Process::sleeper();
    ASSERT_TRUE(daemon.enlist(1, client.pid()));
    daemon.tell("shutdown");
    ASSERT_TRUE(daemon.hold(2, now() + kHour, "a"));  // Both still answer.
    daemon.signal(SIGKILL);
    EXPECT_NE(client.end_time(), kForever);
}

TEST(GuardianRestart, OrdinarySignalsDoNotEndAGuardian) {
    RunDir dir;
    Daemon daemon = dir.start();
    ASSERT_FALSE(daemon.hear("ready").empty());
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
        kill(dir.guardian("cssdagent"), number);
    }
    EXPECT_TRUE(daemon.hold(1, now() + kHour, "-"));
}

}  // namespace
}  // namespace css::testing
