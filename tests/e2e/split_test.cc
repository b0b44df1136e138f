#include <algorithm>
#include <csignal>

#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

class Split : public ClusterTest {};

TEST_F(Split, TwoToOne) {
    Lab& lab = form({});
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3});
    expect_survivors({1, 2}, cut);

    // The story, as it was told on the way, in its order.
    Nanos last = cut;
    for (const Matches& step :
         {told("suspect", 3), told("link_lost", 3), told("decided"), complete({1, 2})}) {
        const auto event = lab.wait_told(1, step, cut);
        ASSERT_TRUE(event);
        EXPECT_GE(event->time, last) << event->type;
        last = event->time;
    }
    // Whoever judged first told the other that the record is complete; so one of them judged.
    const auto judged = [&lab, confirmed = told("evict_confirmed", 3)](unsigned node) {
        return std::ranges::any_of(lab.told_by(node), confirmed);
    };
    EXPECT_TRUE(judged(1) || judged(2));
    EXPECT_NE(lab.alert_log(1).find("CRS-1607: Node node3 is being evicted"), std::string::npos);
    EXPECT_NE(lab.alert_log(1).find("CRS-1612: Network communication with node node3 (3)"),
              std::string::npos);
    // The loser saw the same silence, from its side, and said why it went.
    EXPECT_TRUE(lab.wait_told(3, told("suspect", 1), cut));
    EXPECT_TRUE(lab.wait_told(3, told("lease_lost"), cut));
}

TEST_F(Split, HealsAndRejoins) {
    Lab& lab = form({});
    lab.network().part({1, 2}, {3});
    expect_survivors({1, 2}, 0);
    const Nanos healed = boottime_now();
    lab.network().heal();
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, healed));
    lab.start_client(3);
    expect_acts(3, healed);
}

TEST_F(Split, OneToOneLowestNumberSurvives) {
    Lab& lab = form({.nodes = 2});
    const Nanos cut = boottime_now();
    lab.network().part({1}, {2});
    expect_survivors({1}, cut);
}

TEST_F(Split, ThreeToTwo) {
    Lab& lab = form({.nodes = 5});
    const Nanos cut = boottime_now();
    lab.network().part({1, 2, 3}, {4, 5});
    expect_survivors({1, 2, 3}, cut);
}

TEST_F(Split, TwoToThreeTheLargerSideSurvivesWhateverItsNumbers) {
    Lab& lab = form({.nodes = 5});
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3, 4, 5});
    expect_survivors({3, 4, 5}, cut);
}

TEST_F(Split, PartialCutCostsOneNode) {
    Lab& lab = form({});
    const Nanos cut = boottime_now();
    lab.network().part({1}, {2});
    expect_survivors({1, 3}, cut);
}

TEST_F(Split, OneWayCutCostsOneNode) {
    Lab& lab = form({});
    const Nanos cut = boottime_now();
    lab.network().deafen(2, {3});
    expect_survivors({1, 2}, cut);
    // The deaf end and the end that is not heard both find the link lost.
    EXPECT_TRUE(lab.wait_told(2, told("link_lost", 3), cut));
}

TEST_F(Split, CutOfOneOfTwoInterconnectsIsHarmless) {
    Lab& lab = form({.nodes = 2, .networks = 2});
    const Nanos cut = boottime_now();
    const Words rule{
        "iptables", "-w", "10", "-A", "INPUT", "-s", lab.network().address(1, 1), "-j", "DROP"};
    ASSERT_TRUE(run(rule, lab.network().namespace_of(2)).ok());
    lab.watch_for(2 * lab.options().misscount);
    expect_nobody_evicted(cut);
    expect_acts(2, cut);
}

class Death : public ClusterTest {};

TEST_F(Death, CrashedNodeIsReplacedAndComesBack) {
    Lab& lab = form({});
    const Nanos off = lab.power_off(3);
    expect_survivors({1, 2}, off);
    const Nanos again = boottime_now();
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, again));
    lab.start_client(3);
    expect_acts(3, again);
}

TEST_F(Death, LeaderCrashes) {
    Lab& lab = form({});
    const Nanos off = lab.power_off(1);
    expect_survivors({2, 3}, off);
}

TEST_F(Death, RestartWithinMisscount) {
    Lab& lab = form({.misscount = milliseconds{5000},
                     .disktimeout = milliseconds{10000},
                     .reboottime = milliseconds{1000}});
    const Nanos off = lab.power_off(3);
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, off));
    lab.start_client(3);
    expect_acts(3, off);
}

TEST_F(Death, WholeClusterLosesPowerAndFormsAgain) {
    Lab& lab = form({});
    for (const unsigned node : lab.everybody()) {
        (void)lab.power_off(node);
    }
    const Nanos again = boottime_now();
    ASSERT_TRUE(lab.form());
    for (const unsigned node : lab.everybody()) {
        lab.start_client(node);
        expect_acts(node, again);
    }
}

TEST_F(Death, StoppedDaemonIsEvictedAndItsClientsEndInTime) {
    Lab& lab = form({});
    const Nanos stopped = boottime_now();
    lab.daemon(3).signal(SIGSTOP);
    EXPECT_TRUE(lab.wait_complete({1, 2}, stopped));
    lab.daemon(3).signal(SIGCONT);
    expect_survivors({1, 2}, stopped);
}

TEST_F(Death, ShortStopIsHarmless) {
    Lab& lab = form({.misscount = milliseconds{6000},
                     .disktimeout = milliseconds{12000},
                     .reboottime = milliseconds{1200}});
    const Nanos stopped = boottime_now();
    lab.daemon(3).signal(SIGSTOP);
    lab.watch_for(milliseconds{1000});
    lab.daemon(3).signal(SIGCONT);
    lab.watch_for(lab.options().misscount);
    expect_nobody_evicted(stopped);
    expect_acts(3, stopped);
}

/// PROTOCOL 8: the daemon treats a missing guardian as a lapsed lease; the other guardian fences
/// when the daemon dies.
TEST_F(Death, LossOfAGuardianEndsTheNode) {
    Lab& lab = form({});
    const Nanos off = boottime_now();
    pid_t agent = 0;
    for (const pid_t pid : lab.processes(3)) {
        agent = program_of(pid) == "cssdagent" ? pid : agent;
    }
    ASSERT_GT(agent, 0);
    ASSERT_EQ(::kill(agent, SIGKILL), 0);
    expect_survivors({1, 2}, off);
}

TEST_F(Death, LossOfTheDaemonEndsItsClients) {
    Lab& lab = form({});
    const Nanos off = boottime_now();
    lab.daemon(3).signal(SIGKILL);
    expect_survivors({1, 2}, off);
}

}  // namespace
}  // namespace css::e2e
