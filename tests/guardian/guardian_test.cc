#include <algorithm>
#include <csignal>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

/// How much later than due an act may be seen, on a machine at a tenth of the speed.
constexpr Duration kBound = milliseconds{500};
constexpr Duration kHour = std::chrono::hours{1};

struct Cluster {
    RunDir dir;
    Daemon daemon;
    explicit Cluster(const DaemonOptions& options = {}) : daemon(dir.start(options)) {
        EXPECT_FALSE(daemon.hear("ready").empty());
    }
};

TEST(Guardian, UnarmedPassedEndKillsOnlyTheDaemon) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{300};
    ASSERT_TRUE(c.daemon.hold(1, end, "-"));
    const Instant ended = c.daemon.end_time();
    EXPECT_GE(ended, end + milliseconds{50});  // The last words.
    EXPECT_LE(ended, end + milliseconds{50} + kBound);
    EXPECT_TRUE(c.dir.gasps("cssdagent", "daemon killed"));
    EXPECT_TRUE(client.is_alive());
}

TEST(Guardian, ArmedPassedEndKillsClientsAtTheEndAndTheDaemonAfterItsLastWords) {
    Cluster c;
    const Process client = Process::sleeper();
    const Process other = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.enlist(2, other.pid()));
    const Instant end = now() + milliseconds{300};
    ASSERT_TRUE(c.daemon.hold(1, end, "a"));
    const Instant ended = client.end_time();
    EXPECT_GE(ended, end);
    EXPECT_LE(ended, end + kBound);
    EXPECT_LE(other.end_time(), end + kBound);
    EXPECT_EQ(c.daemon.hear("gone"), "gone");
    EXPECT_GE(c.daemon.end_time(), end + milliseconds{50});
    EXPECT_EQ(WTERMSIG(c.daemon.wait()), SIGKILL);
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        EXPECT_TRUE(c.dir.gasps(name, "lease end passed: clients killed")) << name;
        EXPECT_NE(c.dir.last_gasp(name).find("lease_end_ns=" + std::to_string(ns(end))),
                  std::string::npos);
    }
}

TEST(Guardian, StoppedDaemonLosesItsClientsAtTheEndNeverBeforeNeverMuchLater) {
    std::vector<double> lateness;
    for (int run = 0; run < 10; ++run) {
        Cluster c;
        const Process client = Process::sleeper();
        ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
        const Instant end = now() + milliseconds{60 + 10 * run};
        ASSERT_TRUE(c.daemon.hold(1, end, "a"));
        c.daemon.signal(SIGSTOP);
        const Instant ended = client.end_time();
        ASSERT_GE(ended, end);
        ASSERT_LE(ended, end + kBound);
        lateness.push_back(std::chrono::duration<double, std::milli>(ended - end).count());
        EXPECT_NE(c.daemon.end_time(), kForever);  // A stopped one is killed too.
    }
    std::sort(lateness.begin(), lateness.end());
    std::printf("client gone after E: median %.2f ms, max %.2f ms\n", lateness[5], lateness[9]);
}

TEST(Guardian, KilledDaemonTakesItsClientsAlongWithin50ms) {
    std::vector<double> delays;
    for (int run = 0; run < 11; ++run) {
        Cluster c;
        const Process client = Process::sleeper();
        ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
        ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
        const Instant killed = now();
        c.daemon.signal(SIGKILL);
        const Instant ended = client.end_time();
        ASSERT_NE(ended, kForever);
        delays.push_back(std::chrono::duration<double, std::milli>(ended - killed).count());
        EXPECT_TRUE(run > 0 || c.dir.gasps("cssdmonitor", "cssd died while the node was active"));
    }
    std::sort(delays.begin(), delays.end());
    std::printf(
        "client gone after kill -9 of cssd: median %.2f ms, max %.2f ms\n", delays[5], delays[10]);
    EXPECT_LT(delays[5], 50.0);
}

TEST(Guardian, EndsAreRenewedAndALaterOneHolds) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    const Instant first = now() + milliseconds{400};
    ASSERT_TRUE(c.daemon.hold(1, first, "a"));
    const Instant second = first + milliseconds{300};
    ASSERT_TRUE(c.daemon.hold(2, second, "a"));
    EXPECT_GE(client.end_time(), second);
}

TEST(Guardian, ACutEndIsIrrevocable) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    const Instant cut = now() + milliseconds{300};
    ASSERT_TRUE(c.daemon.hold(2, cut, "af"));
    c.daemon.lease(3, now() + kHour, "a");
    EXPECT_EQ(c.daemon.hear("lost cssdagent"),
              "lost cssdagent it refused: a later end after a final one");
    const Instant ended = client.end_time();
    EXPECT_GE(ended, cut);
    EXPECT_LE(ended, cut + kBound);
}

TEST(Guardian, ReleasedInstanceIsNotFenced) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    c.daemon.tell("dismiss 1");
    ASSERT_TRUE(c.daemon.hold(2, now(), "r"));
    EXPECT_TRUE(c.daemon.is_alive());  // Its end is none any more.
    c.daemon.signal(SIGKILL);
    ASSERT_NE(c.daemon.end_time(), kForever);
    // Another daemon is welcomed: both guardians have dealt with the death by then.
    Daemon next = c.dir.start();
    ASSERT_FALSE(next.hear("ready").empty());
    EXPECT_TRUE(client.is_alive());
    EXPECT_EQ(c.dir.last_gasp("cssdagent").find("killed"), std::string::npos);
}

TEST(Guardian, ReleaseIsRefusedWhileAClientIsLeft) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    c.daemon.lease(2, now(), "r");
    EXPECT_NE(c.daemon.hear("lost").find("clients of an armed instance are left"),
              std::string::npos);
}

TEST(Guardian, LostWhenKilledAndTheOtherStillFences) {
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        Cluster c;
        const Process client = Process::sleeper();
        ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
        ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
        kill(c.dir.guardian(name), SIGKILL);
        EXPECT_EQ(c.daemon.hear("lost"), std::string{"lost "} + name + " it has ended");
        EXPECT_TRUE(client.is_alive());
        c.daemon.signal(SIGKILL);
        EXPECT_NE(client.end_time(), kForever) << "without " << name;
    }
}

TEST(Guardian, OneAloneFencesAtTheEnd) {
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        Cluster c;
        const Process client = Process::sleeper();
        ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
        const Instant end = now() + milliseconds{400};
        ASSERT_TRUE(c.daemon.hold(1, end, "a"));
        kill(c.dir.guardian(name), SIGSTOP);
        const Instant ended = client.end_time();
        EXPECT_GE(ended, end);
        EXPECT_LE(ended, end + kBound) << "without " << name;
    }
}

TEST(Guardian, AcknowledgedOnlyWhenBothHoldIt) {
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        Cluster c;
        ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "-"));
        const pid_t paused = c.dir.guardian(name);
        kill(paused, SIGSTOP);
        c.daemon.lease(2, now() + kHour, "a");
        EXPECT_TRUE(c.daemon.stays_silent("acked", milliseconds{200})) << name;
        kill(paused, SIGCONT);
        EXPECT_EQ(c.daemon.hear("acked"), "acked 1 2");
    }
}

TEST(Guardian, PausedPastItsEndItTakesTheRenewalsThatWaitAndFencesNobody) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{500};
    ASSERT_TRUE(c.daemon.hold(1, end, "a"));
    kill(c.dir.guardian("cssdagent"), SIGSTOP);
    kill(c.dir.guardian("cssdmonitor"), SIGSTOP);
    c.daemon.lease(2, now() + kHour, "a");
    c.daemon.tell("clients");  // Answered after the lease was sent.
    ASSERT_FALSE(c.daemon.hear("left").empty());
    ASSERT_LT(now(), end);
    EXPECT_FALSE(client.ended_within(end - now() + milliseconds{50}));
    kill(c.dir.guardian("cssdagent"), SIGCONT);
    kill(c.dir.guardian("cssdmonitor"), SIGCONT);
    EXPECT_EQ(c.daemon.hear("acked"), "acked 1 2");
    EXPECT_TRUE(client.is_alive());
}

TEST(Guardian, LostWhenItDoesNotAnswerInTime) {
    Cluster c{{.ack_bound = milliseconds{300}}};
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "-"));
    kill(c.dir.guardian("cssdmonitor"), SIGSTOP);
    const Instant asked = now();
    c.daemon.lease(2, now() + kHour, "-");
    EXPECT_EQ(c.daemon.hear("lost"), "lost cssdmonitor it does not answer");
    EXPECT_GE(now() - asked, milliseconds{300});
}

TEST(Guardian, AFloodOfRenewalsNeverBlocksAndTheNewestWins) {
    Cluster c;
    kill(c.dir.guardian("cssdagent"), SIGSTOP);
    for (std::uint64_t serial = 1; serial <= 3000; ++serial) {  // More than the socket takes.
        c.daemon.lease(serial, now() + kHour, "a");
    }
    c.daemon.tell("clients");
    ASSERT_FALSE(c.daemon.hear("left").empty());
    kill(c.dir.guardian("cssdagent"), SIGCONT);
    std::string last;
    while (last != "acked 1 3000") {
        last = c.daemon.hear("acked");
        ASSERT_FALSE(last.empty());
    }
}

TEST(Guardian, AnOrderedFenceKillsClientsAtOnceAndTellsWhenTheyAreGone) {
    Cluster c;
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    const Instant deadline = now() + milliseconds{600};
    c.daemon.tell("fence " + std::to_string(ns(deadline)));
    EXPECT_LT(client.end_time(), deadline);
    EXPECT_EQ(c.daemon.hear("gone"), "gone");
    EXPECT_GE(c.daemon.end_time(), deadline);
    EXPECT_TRUE(c.dir.gasps("cssdagent", "cssd asked for it"));
    EXPECT_NE(c.dir.last_gasp("cssdagent").find("stop_reason=1 by=2"), std::string::npos);
}

TEST(Guardian, AFenceAfterTheEndPassedTellsAgainThatClientsAreGone) {
    Cluster c{{.last_words = milliseconds{5000}}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + milliseconds{100}, "a"));
    ASSERT_EQ(c.daemon.hear("gone"), "gone");
    c.daemon.tell("fence " + std::to_string(ns(now())));
    EXPECT_EQ(c.daemon.hear("gone"), "gone");
}

TEST(Guardian, DrainTakesNoMoreClientsAndKillsThoseLeftAfterThePatience) {
    Cluster c;
    const Process client = Process::sleeper();
    const Process late = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    const Instant asked = now();
    c.daemon.tell("drain " + std::to_string(std::chrono::nanoseconds{milliseconds{200}}.count()));
    EXPECT_FALSE(c.daemon.enlist(2, late.pid()));
    EXPECT_GE(client.end_time(), asked + milliseconds{200});
    EXPECT_EQ(c.daemon.hear("gone"), "gone");
    EXPECT_TRUE(c.daemon.hold(2, now(), "r"));
    EXPECT_TRUE(late.is_alive());
}

TEST(Guardian, DrainWithoutClientsEndsAtOnce) {
    Cluster c;
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    c.daemon.tell("drain " + std::to_string(std::chrono::nanoseconds{kHour}.count()));
    EXPECT_EQ(c.daemon.hear("gone"), "gone");
}

TEST(Guardian, AClientThatEndsByItselfIsForgotten) {
    Cluster c;
    Process client = Process::sleeper();
    ASSERT_TRUE(c.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(c.daemon.hold(1, now() + kHour, "a"));
    client.signal(SIGKILL);
    client.wait();
    c.daemon.tell("drain " + std::to_string(std::chrono::nanoseconds{kHour}.count()));
    EXPECT_EQ(c.daemon.hear("gone"), "gone");
}

}  // namespace
}  // namespace css::testing
