#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/unique_fd.h"
#include "tests/e2e/cluster_test.h"
#include "voting/format/codec.h"
#include "voting/format/header.h"
#include "voting/format/layout.h"

// The stories that our documents tell of other systems, with their timelines printed: those of
// SOURCES (S...), and where the peers fail (PEERS).

namespace css::e2e {
namespace {

class Story : public ClusterTest {
protected:
    void begins(const char* what) {
        begin_ = boottime_now();
        std::printf("%s\n", what);
    }
    /// A step, in seconds since the story began.
    void at(Nanos time, const std::string& what) const {
        std::printf("  %8.3f s  %s\n", as_millis(time - begin_) / 1000, what.c_str());
        std::fflush(stdout);
    }
    void now(const std::string& what) const { at(boottime_now(), what); }

    /// What the node's member table says of another one, as `ONLINE`.
    std::string state(unsigned teller, unsigned other) {
        std::istringstream table{lab_->crsctl(teller, {"query", "css", "members"}).out};
        for (std::string line; std::getline(table, line);) {
            std::istringstream words{line};
            std::string number;
            std::string name;
            std::string state;
            words >> number >> name >> state;
            if (name == node_name(other)) {
                return state;
            }
        }
        return "absent";
    }
    /// A line for each node's member table.
    void show_tables() {
        for (const unsigned teller : lab_->everybody()) {
            std::string line = node_name(teller) + " shows";
            for (const unsigned other : lab_->everybody()) {
                line += " " + node_name(other) + "=" + state(teller, other);
            }
            now(line);
        }
    }
    unsigned count(unsigned teller, const std::string& type, Nanos since) {
        const auto& all = lab_->told_by(teller);
        return static_cast<unsigned>(std::ranges::count_if(
            all, [&](const Told& event) { return event.type == type && event.time >= since; }));
    }
    void expect_told(unsigned teller, const Matches& matches, Nanos since) {
        const auto event = lab_->wait_told(teller, matches, since);
        ASSERT_TRUE(event);
        at(event->time, node_name(teller) + " tells " + event->type + " " + event->reason);
    }

    Nanos begin_ = 0;
};

/// 'How does the failure detection of Group Replication work': by its very commands.
TEST_F(Story, S3_8_APartitionMadeWithIptablesAndHealed) {
    Lab& lab = form({.misscount = milliseconds{3000},
                     .disktimeout = milliseconds{9000},
                     .reboottime = milliseconds{600},
                     .fence_action = "kill-clients",
                     .more_configuration = "autorejoin_tries = 1000\nautorejoin_interval = 1s\n"});
    begins("A partition of {1 2} and {3}");
    show_tables();
    for (const unsigned other : {1U, 2U}) {
        const std::string address = lab.network().address(other, 1);
        must_run({"iptables", "-A", "INPUT", "-s", address, "-j", "DROP"},
                 lab.network().namespace_of(3));
        must_run({"iptables", "-A", "OUTPUT", "-d", address, "-j", "DROP"},
                 lab.network().namespace_of(3));
    }
    const Nanos cut = boottime_now();
    at(cut, "iptables -A INPUT/OUTPUT ... DROP on node3");
    EXPECT_TRUE(lab.wait_until([&] {
        return state(1, 3) == "UNREACHABLE" && state(3, 1) == "UNREACHABLE";
    })) << "both sides show the other";
    show_tables();
    expect_told(3, told("lease_lost", 3), cut);
    expect_told(1, complete({1, 2}), cut);
    EXPECT_TRUE(lab.wait_until([&] { return !lab.client(3).running(); }));
    at(lab.last_client_line(3), "the last that node3's client did");
    EXPECT_LT(lab.last_client_line(3), lab.wait_told(1, complete({1, 2}), cut)->time);
    show_tables();
    must_run({"iptables", "-F"}, lab.network().namespace_of(3));
    const Nanos healed = boottime_now();
    at(healed, "iptables -F on node3");
    // It learned by itself that it was expelled, long before the network came back, and joins again
    // by itself.
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, healed));
    expect_told(3, complete({1, 2, 3}), healed);
    lab.start_client(3);
    expect_acts(3, healed);
    show_tables();
    EXPECT_EQ(state(1, 3), "ONLINE");
}

/// 'Does a clock step cause a failover': not ours.
TEST_F(Story, S4_2_AClockStepByAnHourEachWay) {
    Lab& lab = form({.own_wall_clocks = true});
    begins("The wall clock of node2 is stepped");
    const Nanos begun = boottime_now();
    for (const int hours : {1, -1, 0}) {
        lab.step_wall_clock(2, std::chrono::hours{hours});
        now("by " + std::to_string(hours) + " h of true time");
        lab.watch_for(lab.options().misscount);
        expect_nobody_evicted(begun);
    }
    for (const unsigned node : lab.everybody()) {
        EXPECT_EQ(count(node, "suspect", begun), 0U);
        EXPECT_EQ(count(node, "decided", begun), 0U);
        expect_acts(node, boottime_now());
    }
    show_tables();
}

/// The incident behind it: a virtual machine was suspended, so its heartbeats stopped. Whoever
/// wakes learns what happened before it acts.
TEST_F(Story, S4_1_ASuspendedHostWakesAfterItWasRemoved) {
    Lab& lab = form({});
    begins("Everything on node3 stands still");
    const std::vector<pid_t> asleep = lab.processes(3);
    for (const pid_t pid : asleep) {
        ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    }
    const Nanos suspended = boottime_now();
    expect_told(1, complete({1, 2}), suspended);
    lab.watch_for(lab.options().misscount);
    const Nanos woken = boottime_now();
    for (const pid_t pid : asleep) {
        (void)::kill(pid, SIGCONT);
    }
    at(woken, "node3 goes on");
    EXPECT_TRUE(lab.wait_ended(3));
    now("its daemon and client have ended");
    at(lab.last_client_line(3), "the last that its client did");
    EXPECT_LT(lab.last_client_line(3), woken) << "it acted once more";
    EXPECT_TRUE(lab.wait_told(3, told("lease_lost"), suspended) ||
                lab.alert_log(3).find("CRS-") != std::string::npos);
}

/// How CTDB sees a peer go: by a clean stop, by the death of its daemon, and silently; and come
/// back.
TEST_F(Story, S2_7_CleanStopDeathOfTheDaemonAndPowerCut) {
    Lab& lab = form({.misscount = milliseconds{4000},
                     .disktimeout = milliseconds{12'000},
                     .reboottime = milliseconds{800}});
    begins("node3 goes in three ways, misscount 4 s");
    const auto measure = [&](const std::string& what, const std::function<void()>& go) {
        const Nanos gone = boottime_now();
        go();
        const auto event = lab.wait_told(1, complete({1, 2}), gone);
        EXPECT_TRUE(event) << what;
        const double took = event ? as_millis(event->time - gone) : 1e9;
        at(event ? event->time : gone,
           what + ": known to have stopped after " + std::to_string(static_cast<int>(took)) +
               " ms");
        (void)lab.wait_ended(3);
        const Nanos back = boottime_now();
        EXPECT_TRUE(lab.start(3));
        EXPECT_TRUE(lab.wait_complete({1, 2, 3}, back));
        now("back after " + std::to_string(static_cast<int>(as_millis(boottime_now() - back))) +
            " ms");
        lab.start_client(3);
        expect_acts(3, back);
        return took;
    };
    const double stop = measure("clean stop", [&] {
        EXPECT_TRUE(lab.crsctl(3, {"stop", "css"}).ok());
    });
    const double death = measure("death of the daemon", [&] { lab.daemon(3).signal(SIGKILL); });
    const double power = measure("power cut", [&] { (void)lab.power_off(3); });
    EXPECT_LT(stop, as_millis(nanos(lab.options().misscount)));
    EXPECT_LT(death, as_millis(nanos(lab.options().misscount)));
    EXPECT_GT(power, as_millis(nanos(lab.options().misscount)) / 2) << "nobody told them";
}

/// SBD reports success when it could not write the pill, and the victim runs on. Nor does the bad
/// sector cost us the files: those who drop the node write their own slots beside it.
TEST_F(Story, AnEvictionIsDoneWhenTheVictimHasStoppedThoughAKillBlockCannotBeWritten) {
    Lab& lab = form({.disks = DiskKind::kFaulty});
    begins("The kill block of node3 cannot be written on any file; the victim stands still");
    const voting::Layout layout{lab.options().sector_size};
    const auto kill_block = static_cast<unsigned>(layout.kill(NodeNumber{3}).offset);
    for (const unsigned node : {1U, 2U}) {
        for (unsigned file = 1; file <= lab.options().files; ++file) {
            lab.disks().fault(node, file, "refuse", kill_block);
        }
    }
    const Nanos asked = boottime_now();
    const std::vector<pid_t> victim = lab.processes(3);
    for (const pid_t pid : victim) {
        ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    }
    const Finished done = lab.crsctl(1, {"evict", "css", "node", "node3"});
    const Nanos answered = boottime_now();
    EXPECT_TRUE(done.ok()) << done.out;
    at(answered, "crsctl evict says " + std::to_string(done.status) + ": " + done.out);
    for (const pid_t pid : victim) {
        (void)::kill(pid, SIGCONT);
    }
    EXPECT_TRUE(lab.wait_ended(3));
    at(lab.last_client_line(3), "the last that node3's client did");
    EXPECT_LT(lab.last_client_line(3), answered);
    // It was the end of its lease that was waited for, and no kill block stands where none could.
    EXPECT_GE(answered - asked, nanos(lab.options().misscount - lab.options().reboottime));
    const std::string dump = run({CSS_E2E_VOTEFILE, "dump", lab.disks().paths(3).front()}).out;
    EXPECT_EQ(dump.find("kill"), std::string::npos) << dump;
    lab.watch_for(lab.options().disktimeout);
    for (const unsigned node : {1U, 2U}) {
        expect_acts(node, boottime_now());
        EXPECT_EQ(count(node, "lease_lost", asked), 0U);
    }
}

/// corosync re-forms 12 to 48 times a minute, for as long as one link is cut.
class OneLink : public Story, public ::testing::WithParamInterface<unsigned> {};

TEST_P(OneLink, IsCutOneReconfigurationThenQuiet) {
    const unsigned nodes = GetParam();
    Lab& lab = form({.nodes = nodes});
    begins("One link is cut");
    const Nanos cut = boottime_now();
    lab.network().part({1}, {2});
    Members rest = lab.everybody();
    rest.erase(2);
    expect_survivors(rest, cut);
    expect_told(1, complete(rest), cut);
    const char* const wanted = std::getenv("CSS_LINK_SECONDS");
    lab.watch_for(std::chrono::seconds{wanted != nullptr ? std::atoi(wanted) : 10});
    for (const unsigned node : rest) {
        EXPECT_EQ(count(node, "decided", cut), 1U) << "node " << node;
        EXPECT_EQ(count(node, "lease_lost", cut), 0U);
        expect_acts(node, boottime_now());
    }
    now("reconfigurations since the cut: " + std::to_string(count(1, "decided", cut)));
}

INSTANTIATE_TEST_SUITE_P(Story, OneLink, ::testing::Values(3U, 5U), [](const auto& nodes) {
    return nodes.param == 3 ? "OneOfThree" : "OneOfTen";
});

/// Something writes the heartbeats of a host that is gone, on and on.
class RogueWriter {
public:
    RogueWriter(const std::string& path, NodeNumber slot)
        : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)), slot_(slot) {
        CSS_CHECK(fd_.get() >= 0);
        std::array<std::byte, voting::kHeaderSize> header{};
        CSS_CHECK(::pread(fd_.get(), header.data(), header.size(), 0) ==
                  static_cast<ssize_t>(header.size()));
        voting::Header decoded;
        CSS_CHECK(voting::decode_header(header, decoded) == SectorVerdict::kValid);
        identity_ = decoded.identity();
    }
    void write() {
        const voting::Layout layout{identity_.sector_size};
        const auto offset = static_cast<off_t>(layout.slot(slot_).offset);
        std::vector<std::byte> sector(identity_.sector_size);
        CSS_CHECK(::pread(fd_.get(), sector.data(), sector.size(), offset) ==
                  static_cast<ssize_t>(sector.size()));
        voting::Heartbeat heartbeat;
        if (voting::decode_heartbeat(identity_, slot_, sector, heartbeat) !=
            SectorVerdict::kValid) {
            return;  // The daemon was just writing it: on the next round.
        }
        heartbeat.sequence = Sequence{heartbeat.sequence.value() + 1};
        voting::encode_heartbeat(identity_, slot_, heartbeat, sector);
        CSS_CHECK(::pwrite(fd_.get(), sector.data(), sector.size(), offset) ==
                  static_cast<ssize_t>(sector.size()));
    }

private:
    UniqueFd fd_;
    NodeNumber slot_;
    voting::SectorIdentity identity_;
};

/// Oracle's survivors waited 4 h 25 min for a victim that went on to write its disk heartbeat.
TEST_F(Story, AVictimThatKeepsWritingIsNotWaitedForWithoutLimit) {
    Lab& lab = form({.disks = DiskKind::kPlain});
    begins("node3 loses its power, and something goes on to write its heartbeats");
    std::vector<RogueWriter> writers;
    for (const std::string& path : lab.disks().paths(1)) {
        writers.emplace_back(path, NodeNumber{3});
    }
    std::atomic<bool> goes_on = true;
    std::atomic<unsigned> written = 0;
    const Nanos off = lab.power_off(3);
    std::thread rogue{[&] {
        while (goes_on) {
            for (RogueWriter& writer : writers) {
                writer.write();
            }
            ++written;
            std::this_thread::sleep_for(milliseconds{50});
        }
    }};
    const auto done = lab.wait_told(1, complete({1, 2}), off);
    const auto judged = lab.wait_told(1, told("evict_confirmed", 3), off, milliseconds{0});
    const auto by_other = lab.wait_told(2, told("evict_confirmed", 3), off, milliseconds{0});
    goes_on = false;
    rogue.join();
    ASSERT_TRUE(done);
    ASSERT_TRUE(judged || by_other);
    EXPECT_GT(written, 10U);
    at(done->time,
       "complete without it, " + std::to_string(written) +
           " heartbeats later: " + (judged ? judged : by_other)->reason);
    expect_survivors({1, 2}, off);
}

}  // namespace
}  // namespace css::e2e
