/// What a guardian does besides killing one process: trees and cgroups, reset, command, drain hook,
/// farewell, local heartbeat. Real guardians; a reset is a `b` in a file.

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/client/cgroup.h"
#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

constexpr Duration kBound = milliseconds{500};
constexpr Duration kHour = std::chrono::hours{1};

struct Node {
    RunDir dir;
    Daemon daemon;
    explicit Node(std::vector<std::string> orders, milliseconds reboottime = milliseconds{3000})
        : daemon(dir.start({.more = std::move(orders)})) {
        EXPECT_FALSE(daemon.hear("ready").empty());
        daemon.tell("reboottime " + std::to_string(reboottime.count()));
    }
    [[nodiscard]] bool resets(Duration patience = kPatience) const {
        return dir.shows("reset", "b", patience);
    }
};

/// Every process whose command line holds this word.
std::vector<pid_t> processes_named(const std::string& word) {
    std::vector<pid_t> found;
    DIR* proc = ::opendir("/proc");
    while (const dirent* entry = ::readdir(proc)) {
        const int pid = std::atoi(entry->d_name);
        std::ifstream file{"/proc/" + std::to_string(pid) + "/cmdline"};
        const std::string line{std::istreambuf_iterator<char>{file}, {}};
        if (pid > 0 && line.find(word) != std::string::npos) {
            found.push_back(pid);
        }
    }
    ::closedir(proc);
    return found;
}

bool wait_until(const std::function<bool()>& holds) {
    const Instant limit = now() + kPatience;
    while (!holds()) {
        if (now() > limit) {
            return false;
        }
        std::this_thread::sleep_for(milliseconds{5});
    }
    return true;
}

/// A number of seconds that no other test's `sleep` has.
std::string marker(int test) {
    return std::to_string(100'000 + test) + "." + std::to_string(getpid());
}

// -------------------------------------------------------------------------- trees and cgroups

TEST(GuardianKill, S8_AClientGoesWithEverythingBelowIt) {
    Node node{{}};
    const std::string sleep = "sleep " + marker(1);
    Process client = Process::run(
        {"/bin/sh", "-c", sleep + " & (" + sleep + " & " + sleep + ") & wait; " + sleep});
    ASSERT_TRUE(wait_until([] { return processes_named(marker(1)).size() >= 4; }));
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.signal(SIGKILL);
    EXPECT_NE(client.end_time(), kForever);
    client.wait();
    EXPECT_TRUE(wait_until([] { return processes_named(marker(1)).empty(); }));
}

TEST(GuardianKill, S8_NothingEscapesByForking) {
    Node node{{}};
    const std::string sleep = "sleep " + marker(2);
    // Keeps two children young: it forks about as fast as a shell can.
    Process client =
        Process::run({"/bin/sh",
                      "-c",
                      "while :; do timeout 0.05 " + sleep + " & timeout 0.05 " + sleep + "; done"});
    ASSERT_TRUE(wait_until([] { return processes_named(marker(2)).size() >= 2; }));
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.signal(SIGKILL);
    EXPECT_NE(client.end_time(), kForever);
    client.wait();
    EXPECT_TRUE(wait_until([] { return processes_named(marker(2)).empty(); }));
}

/// The guardians, the daemon, and whatever else a client may have been started beside.
TEST(GuardianKill, OthersAreLeftAlone) {
    Node node{{}};
    const Process client = Process::sleeper();
    const Process other = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.tell("fence " + std::to_string(ns(now() + kHour)));
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
    EXPECT_FALSE(client.is_alive());
    EXPECT_TRUE(other.is_alive());
    EXPECT_TRUE(node.daemon.is_alive());
    EXPECT_TRUE(processes_named(node.dir.path()).size() >= 2);
}

void expect_cgroup_killed(client::CgroupKind kind, const char* version, int number) {
    const auto cgroup = TestCgroup::make(kind);
    if (!cgroup) {
        GTEST_SKIP() << "no such cgroup hierarchy here";
    }
    Node node{{"action=kill-clients"}};
    const std::string sleep = "sleep " + marker(number);
    // Its grandchildren have left its process tree: only the cgroup holds them.
    Process first = Process::run(
        {"/bin/sh", "-c", "sleep 0.3; (setsid " + sleep + " & setsid " + sleep + " &) ; " + sleep});
    Process below = Process::sleeper();
    cgroup->add(first.pid());
    cgroup->add(below.pid(), "below");
    ASSERT_TRUE(wait_until([number] { return processes_named(marker(number)).size() >= 4; }));
    node.daemon.tell("enlist_cgroup 1 " + std::string{version} + " " + cgroup->path());
    ASSERT_EQ(node.daemon.hear("client 1 "), "client 1 held");
    const Instant end = now() + milliseconds{300};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    EXPECT_GE(first.end_time(), end);
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
    EXPECT_FALSE(below.is_alive());
    first.wait();
    EXPECT_TRUE(wait_until([number] { return processes_named(marker(number)).empty(); }));
    EXPECT_EQ(node.dir.file("reset"), "");
}

TEST(GuardianKill, S8_AWholeCgroupVersion2) {
    expect_cgroup_killed(client::CgroupKind::kV2, "v2", 3);
}

TEST(GuardianKill, S8_AWholeCgroupVersion1WithTheFreezer) {
    expect_cgroup_killed(client::CgroupKind::kV1Freezer, "v1", 4);
}

TEST(GuardianKill, ACgroupThatIsEmptyIsGone) {
    const auto cgroup = TestCgroup::make(client::CgroupKind::kV2);
    if (!cgroup) {
        GTEST_SKIP() << "no cgroups of version 2 here";
    }
    Node node{{}};
    node.daemon.tell("enlist_cgroup 1 v2 " + cgroup->path());
    ASSERT_EQ(node.daemon.hear("client 1 "), "client 1 held");
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.tell("drain " + std::to_string(std::chrono::nanoseconds{kHour}.count()));
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
}

// -------------------------------------------------------------------------------------- reset

TEST(GuardianReset, S8_RebootResetsAtTheEndAndHasWrittenWhy) {
    Node node{{"action=reboot"}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{300};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    ASSERT_FALSE(node.resets(end - now() - milliseconds{50}));
    ASSERT_TRUE(node.resets());
    const Instant reset = now();
    EXPECT_LE(reset, end + kBound);
    // Written before the reset, which the line has to survive.
    const bool written =
        node.dir.last_gasp("cssdagent").find("resetting this host") != std::string::npos ||
        node.dir.last_gasp("cssdmonitor").find("resetting this host") != std::string::npos;
    EXPECT_TRUE(written);
    EXPECT_NE(client.end_time(), kForever);      // This machine goes on, so it is killed.
    EXPECT_TRUE(node.dir.shows("reset", "bb"));  // Each guardian by itself.
    EXPECT_TRUE(node.dir.shows("alert.log", "CRS-1662"));
}

TEST(GuardianReset, S8_OneGuardianAloneResets) {
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        Node node{{"action=reboot"}};
        const Instant end = now() + milliseconds{300};
        ASSERT_TRUE(node.daemon.hold(1, end, "a"));
        kill(node.dir.guardian(name), SIGSTOP);
        EXPECT_TRUE(node.resets()) << "without " << name;
        EXPECT_EQ(node.dir.file("reset"), "b");
    }
}

TEST(GuardianReset, KillClientsResetsOnlyWhatDoesNotDie) {
    Node node{{"action=kill-clients"}, milliseconds{600}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{200};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
    EXPECT_FALSE(node.resets(milliseconds{800}));
}

TEST(GuardianReset, TheDaemonMayAskForItWithoutALease) {
    Node node{{"action=kill-clients"}};
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    ASSERT_TRUE(node.daemon.hold(2, now(), "r"));
    node.daemon.tell("reset");
    EXPECT_TRUE(node.resets());
}

// ------------------------------------------------------------------------- drain hook, command

TEST(GuardianDrain, S8_TheHookRunsOnceWhenTheLastClientIsGoneAndItsOutputIsInTheTrace) {
    RunDir dir;
    const std::string hook = "echo unmounting; sleep 0.3; echo \"$@\" >> " + dir.path() +
                             "/drained; echo done by >&2; :";
    Daemon daemon = dir.start(
        {.last_words = milliseconds{10'000}, .more = {"action=kill-clients", "drain=" + hook}});
    ASSERT_FALSE(daemon.hear("ready").empty());
    daemon.tell("reboottime 10000");
    const Process client = Process::sleeper();
    ASSERT_TRUE(daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{200};
    ASSERT_TRUE(daemon.hold(1, end, "a"));
    const Instant died = client.end_time();
    EXPECT_GE(died, end);
    EXPECT_EQ(daemon.hear("gone"), "gone");
    EXPECT_GE(now(), died + milliseconds{300});
    EXPECT_EQ(dir.file("drained"), "node1 1\n");  // The other guardian's answer counted.
    EXPECT_TRUE(dir.shows("cssd.trc", "LHB drain_command: unmounting"));
    EXPECT_TRUE(dir.shows("cssd.trc", "LHB drain_command: done by"));
    EXPECT_EQ(dir.file("reset"), "");
}

TEST(GuardianDrain, S8_TheNextDaemonWaitsForTheHook) {
    RunDir dir;
    Daemon first = dir.start({.more = {"action=kill-clients", "drain=sleep 0.5; :"}});
    ASSERT_FALSE(first.hear("ready").empty());
    first.tell("reboottime 10000");
    ASSERT_TRUE(first.hold(1, now() + kHour, "a"));
    const Instant killed = now();
    first.signal(SIGKILL);
    Daemon next = dir.start();
    ASSERT_FALSE(next.hear("ready").empty());
    EXPECT_GE(now(), killed + milliseconds{500});
}

TEST(GuardianDrain, S8_AHookThatFailsEscalates) {
    Node node{{"action=kill-clients", "drain=echo cannot unmount; exit 3 #"}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(node.daemon.hold(1, now() + milliseconds{100}, "a"));
    EXPECT_TRUE(node.resets());
    EXPECT_TRUE(node.dir.shows("cssd.trc", "ended with exit code 3"));
    EXPECT_TRUE(node.daemon.stays_silent("gone", milliseconds{200}));
}

TEST(GuardianDrain, S8_AHookThatIsLateEscalatesInTimeForReboottime) {
    Node node{{"action=kill-clients", "drain=sleep 100 #"}, milliseconds{1500}};
    const Instant end = now() + milliseconds{100};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    ASSERT_TRUE(node.resets());
    EXPECT_GE(now(), end + milliseconds{900});
    EXPECT_LE(now(), end + milliseconds{1500} + kBound);
}

TEST(GuardianDrain, AFailureAtACleanLeaveIsNoCleanLeave) {
    Node node{{"action=kill-clients", "drain=exit 1 #"}};
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.tell("drain " + std::to_string(std::chrono::nanoseconds{kHour}.count()));
    EXPECT_TRUE(node.resets());
    EXPECT_TRUE(node.daemon.stays_silent("gone", milliseconds{100}));
    EXPECT_TRUE(node.dir.gasps("cssdagent", "the drain command failed at a clean leave"));
}

TEST(GuardianCommand, S8_TheCommandIsTheFenceAndWhatItLeavesIsKilled) {
    RunDir dir;
    const std::string off = dir.path() + "/off";
    Daemon daemon =
        dir.start({.last_words = milliseconds{10000},
                   .more = {"action=command", "command=sleep 0.3; echo \"$@\" >> " + off + "; :"}});
    ASSERT_FALSE(daemon.hear("ready").empty());
    daemon.tell("reboottime 10000");
    const Process client = Process::sleeper();
    ASSERT_TRUE(daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{200};
    ASSERT_TRUE(daemon.hold(1, end, "a"));
    EXPECT_GE(client.end_time(), end + milliseconds{300});
    EXPECT_EQ(daemon.hear("gone"), "gone");
    EXPECT_EQ(dir.file("off"), "off node1 1\n");
    EXPECT_EQ(dir.file("reset"), "");
}

TEST(GuardianCommand, S8_ACommandThatFailsOrIsLateEscalates) {
    for (const char* command : {"command=exit 1 #", "command=sleep 100 #"}) {
        Node node{{"action=command", command}, milliseconds{1000}};
        const Process client = Process::sleeper();
        ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
        const Instant end = now() + milliseconds{100};
        ASSERT_TRUE(node.daemon.hold(1, end, "a"));
        ASSERT_TRUE(node.resets()) << command;
        EXPECT_LE(now(), end + milliseconds{1000} + kBound);
        EXPECT_NE(client.end_time(), kForever);
    }
}

// ----------------------------------------------------------------------------------- farewell

/// A node that hears what guardians say.
class Listener {
public:
    Listener() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        // sockaddr_in is passed as a sockaddr by the interface's own design.
        auto* any = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(::bind(socket_.get(), any, size), 0);
        EXPECT_EQ(::getsockname(socket_.get(), any, &size), 0);
        port_ = ntohs(address.sin_port);
    }
    [[nodiscard]] std::string port() const { return std::to_string(port_); }
    /// The next datagram; empty: none came.
    [[nodiscard]] std::string hear(Duration patience = kPatience) const {
        pollfd readable{socket_.get(), POLLIN, 0};
        const auto limit = std::chrono::ceil<milliseconds>(patience).count();
        std::array<char, 64> text{};
        return ::poll(&readable, 1, static_cast<int>(limit)) == 1
                   ? std::string{text.data(),
                                 static_cast<std::size_t>(
                                     ::recv(socket_.get(), text.data(), text.size(), 0))}
                   : std::string{};
    }

private:
    UniqueFd socket_;
    unsigned port_ = 0;
};

TEST(GuardianFarewell, E1_FencedIsSaidWhenDaemonAndClientsAreGone) {
    const Listener listener;
    Node node{{"action=kill-clients", "drain=sleep 0.3; :"}, milliseconds{20'000}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.tell("say " + listener.port());
    ASSERT_TRUE(node.daemon.hold(2, now() + kHour, "a"));
    const Instant killed = now();
    node.daemon.signal(SIGKILL);
    std::string said = listener.hear();
    while (said == "RESETTING") {  // That much is certain at once.
        said = listener.hear();
    }
    EXPECT_EQ(said, "FENCED");
    EXPECT_GE(now(), killed + milliseconds{300});
    EXPECT_FALSE(client.is_alive());
}

TEST(GuardianFarewell, ALivingDaemonSaysItItself) {
    const Listener listener;
    Node node{{"action=kill-clients"}};
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    node.daemon.tell("say " + listener.port());
    node.daemon.tell("fence " + std::to_string(ns(now() + kHour)));
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
    EXPECT_EQ(listener.hear(milliseconds{200}), "");
    ASSERT_TRUE(node.daemon.hold(2, now(), "r"));
    node.daemon.signal(SIGKILL);
    EXPECT_EQ(listener.hear(milliseconds{200}), "");  // Released: it has said it.
}

TEST(GuardianFarewell, NothingIsSaidOfAnInstanceThatNeverActed) {
    const Listener listener;
    Node node{{"action=kill-clients"}};
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "-"));
    node.daemon.tell("say " + listener.port());
    ASSERT_TRUE(node.daemon.hold(2, now() + kHour, "-"));
    node.daemon.signal(SIGKILL);
    EXPECT_EQ(listener.hear(milliseconds{300}), "");
}

TEST(GuardianFarewell, E5_ResettingIsSaidBeforeAReset) {
    const Listener listener;
    Node node{{"action=reboot"}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    const Instant end = now() + milliseconds{400};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    node.daemon.tell("say " + listener.port());
    EXPECT_EQ(listener.hear(end - now() - milliseconds{20}), "");
    EXPECT_EQ(listener.hear(), "RESETTING");
}

// ---------------------------------------------------------------------------- local heartbeat

TEST(GuardianHeartbeat, L1_ASilentDaemonIsInTheAlertLogBeforeItsEnd) {
    Node node{{"action=reboot"}};
    const Instant end = now() + milliseconds{1200};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    node.daemon.signal(SIGSTOP);
    ASSERT_TRUE(node.resets());
    std::istringstream log{node.dir.file("alert.log")};
    int lines = 0;
    for (std::string line; std::getline(log, line);) {
        lines += line.find(
                     "CRS-1661: The CSS daemon is not responding. If this persists, a reboot "
                     "will occur in ") != std::string::npos;
    }
    EXPECT_EQ(lines, 6);  // 50, 75 and 90 %, from each guardian.
    EXPECT_NE(node.dir.file("cssd.trc").find("LHB (:CLSN00111:) no word from cssd for 75%"),
              std::string::npos);
}

TEST(GuardianHeartbeat, LogsThatAreGoneHoldUpNobody) {
    Node node{{"action=kill-clients"}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    for (const char* log : {"/alert.log", "/cssd.trc", "/cssdagent.lastgasp"}) {
        ::unlink((node.dir.path() + log).c_str());
    }
    const Instant end = now() + milliseconds{400};
    ASSERT_TRUE(node.daemon.hold(1, end, "a"));
    node.daemon.signal(SIGSTOP);
    const Instant ended = client.end_time();
    EXPECT_GE(ended, end);
    EXPECT_LE(ended, end + kBound);
}

TEST(GuardianHeartbeat, S8_TheOtherGuardiansEndIsNoticed) {
    Node node{{"action=kill-clients"}};
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    kill(node.dir.guardian("cssdmonitor"), SIGKILL);
    EXPECT_TRUE(node.dir.shows("cssd.trc", "LHB the other guardian has ended"));
}

// -------------------------------------------------------------- what is left when all are gone

TEST(GuardianLastResort, S8_WithoutGuardiansTheDaemonKillsItsClientsItself) {
    Node node{{"action=kill-clients"}};
    const Process client = Process::sleeper();
    ASSERT_TRUE(node.daemon.enlist(1, client.pid()));
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        kill(node.dir.guardian(name), SIGKILL);
        ASSERT_FALSE(node.daemon.hear("lost").empty());
    }
    EXPECT_TRUE(client.is_alive());
    node.daemon.tell("fence " + std::to_string(ns(now() + kHour)));
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
    EXPECT_FALSE(client.is_alive());
    EXPECT_EQ(node.dir.file("reset"), "");
}

TEST(GuardianLastResort, S8_WithoutGuardiansTheDaemonResetsItself) {
    Node node{{"action=reboot"}};
    ASSERT_TRUE(node.daemon.hold(1, now() + kHour, "a"));
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        kill(node.dir.guardian(name), SIGKILL);
        ASSERT_FALSE(node.daemon.hear("lost").empty());
    }
    node.daemon.tell("fence " + std::to_string(ns(now() + kHour)));
    EXPECT_TRUE(node.resets());
}

TEST(GuardianLastResort, S8_ClientsOfADaemonThatDiedWithItsGuardiansDoNotSurviveTheNext) {
    RunDir dir;
    const Process client = Process::sleeper();
    {
        Daemon first = dir.start();
        ASSERT_FALSE(first.hear("ready").empty());
        ASSERT_TRUE(first.enlist(1, client.pid()));
        ASSERT_TRUE(first.hold(1, now() + kHour, "a"));
        const std::array<pid_t, 2> guardians{dir.guardian("cssdagent"),
                                             dir.guardian("cssdmonitor")};
        for (const pid_t pid : guardians) {
            kill(pid, SIGSTOP);  // Neither sees the other or the daemon go.
        }
        first.signal(SIGKILL);
        for (const pid_t pid : guardians) {
            kill(pid, SIGKILL);
            ASSERT_TRUE(wait_for_pid_to_end(pid));
        }
    }
    ASSERT_TRUE(client.is_alive());
    Daemon next = dir.start({.more = {"former=" + std::to_string(client.pid())}});
    ASSERT_FALSE(next.hear("ready").empty());
    EXPECT_FALSE(client.is_alive());
}

}  // namespace
}  // namespace css::testing
