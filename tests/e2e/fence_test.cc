#include <csignal>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cssd/client/css.h"
#include "cssd/runtime/control_client.h"
#include "tests/client/cgroup.h"
#include "tests/e2e/cluster_test.h"
#include "tests/e2e/harness/scratch.h"

namespace css::e2e {
namespace {

std::string contents_of(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// Time-outs as on real nodes: what happens at once does not wait for any of them.
const LabOptions kDefaults{.misscount = std::chrono::seconds{30},
                           .disktimeout = std::chrono::seconds{200},
                           .reboottime = std::chrono::seconds{3}};

LabOptions kill_clients(const std::string& more, LabOptions options = {}) {
    options.fence_action = "kill-clients";
    options.more_configuration = more;
    return options;
}

class Fencing : public ClusterTest {
protected:
    [[nodiscard]] std::string resets() const { return contents_of(lab_->directory() + "/reset"); }
    std::string history(unsigned node) {
        return lab_->crsctl(node, {"query", "css", "history"}).out;
    }
    std::string status(unsigned node) { return lab_->crsctl(node, {"query", "css", "status"}).out; }
    [[nodiscard]] std::string trace(unsigned node) const {
        return contents_of(lab_->run_dir(node) + "/../log/cssd.trc");
    }
    bool wait_alert(unsigned node, const std::string& text) {
        const Nanos deadline = boottime_now() + nanos(kPatience);
        while (lab_->alert_log(node).find(text) == std::string::npos) {
            if (boottime_now() > deadline) {
                return false;
            }
            lab_->watch_for(milliseconds{20});
        }
        return true;
    }
    [[nodiscard]] pid_t guardian(unsigned node, const std::string& name) const {
        pid_t found = 0;
        for (const pid_t pid : lab_->processes(node)) {
            found = program_of(pid) == name ? pid : found;
        }
        return found;
    }
};

/// A script of this test, gone with it.
class Script {
public:
    explicit Script(const std::string& text) : directory_(make_scratch()) {
        std::ofstream{path()} << "#!/bin/sh\n" << text << '\n';
        EXPECT_EQ(::chmod(path().c_str(), 0755), 0);
    }
    ~Script() { remove_scratch(directory_); }
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;
    Script(Script&&) = delete;
    Script& operator=(Script&&) = delete;
    [[nodiscard]] std::string path() const { return directory_ + "/script"; }
    /// What it wrote to `$0.said`.
    [[nodiscard]] std::string said() const { return contents_of(path() + ".said"); }

private:
    std::string directory_;
};

// ------------------------------------------------------------------------------- kill-clients

TEST_F(Fencing, S8_KillClientsKillsClientsOnlyAndTheDaemonJoinsAgainByItself) {
    Lab& lab = form(kill_clients("autorejoin_interval = 60\n"));
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3});
    EXPECT_TRUE(lab.wait_complete({1, 2}, cut));
    EXPECT_TRUE(lab.client(3).wait(kPatience));
    EXPECT_TRUE(lab.wait_told(3, told("fenced", 3), cut));
    EXPECT_TRUE(wait_alert(3, "it joins again: try 1 of 3"));
    EXPECT_TRUE(lab.daemon(3).running());
    const Nanos healed = boottime_now();
    lab.network().heal();
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, healed));
    lab.start_client(3);
    expect_acts(3, healed);
    EXPECT_EQ(resets(), "");
    // The reason, on either side.
    EXPECT_TRUE(wait_alert(3, "CRS-8013: reboot advisory message text: "));
    EXPECT_NE(history(3).find("clients killed"), std::string::npos);
    EXPECT_NE(history(1).find("evict"), std::string::npos);
    EXPECT_NE(lab.alert_log(1).find("CRS-1607: Node node3 is being evicted"), std::string::npos);
    // A second time, by hand, and the guardians are still the same.
    const Nanos again = boottime_now();
    EXPECT_EQ(lab.crsctl(1, {"evict", "css", "node", "node3"}).status, 0);
    EXPECT_TRUE(lab.client(3).wait(kPatience));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, again));
    lab.start_client(3);
    expect_acts(3, again);
    EXPECT_EQ(lab.crsctl(3, {"stop", "css"}).status, 0);
    EXPECT_TRUE(lab.wait_silent(3));
    EXPECT_EQ(lab.daemon(3).status(), 0);
}

TEST_F(Fencing, AfterTheLastTryTheDaemonStaysOutUntilItIsEnabled) {
    Lab& lab = form(kill_clients("autorejoin_tries = 1\nautorejoin_interval = 1\n"));
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3});
    EXPECT_TRUE(lab.wait_complete({1, 2}, cut));
    ASSERT_TRUE(wait_alert(3, "after 1 tries to join again: exit_action stay-out"));
    EXPECT_NE(status(3).find("`crsctl enable css` lets it join"), std::string::npos) << status(3);
    const Nanos healed = boottime_now();
    lab.network().heal();
    lab.watch_for(2 * lab.options().misscount);
    EXPECT_FALSE(lab.wait_told(1, complete({1, 2, 3}), healed, milliseconds{0}));
    EXPECT_EQ(lab.crsctl(3, {"enable", "css"}).status, 0);
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, healed));
    EXPECT_EQ(status(3).find("lets it join"), std::string::npos);
}

TEST_F(Fencing, AfterTheLastTryTheDaemonExits) {
    Lab& lab =
        form(kill_clients("autorejoin_tries = 1\nautorejoin_interval = 1\nexit_action = exit\n"));
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3});
    expect_survivors({1, 2}, cut);
    EXPECT_EQ(lab.daemon(3).status(), 1);
    EXPECT_EQ(resets(), "");
}

TEST_F(Fencing, AfterTheLastTryTheHostIsReset) {
    Lab& lab = form(kill_clients("autorejoin_tries = 0\nexit_action = reboot\n"));
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3});
    EXPECT_TRUE(lab.wait_complete({1, 2}, cut));
    EXPECT_TRUE(lab.wait_ended(3));
    EXPECT_NE(resets(), "");
}

TEST_F(Fencing, S8_TheDrainHookOfALeavingNodeRunsBeforeOthersHearOfIt) {
    const Script hook{"sleep 0.3; echo \"$@\" >> \"$0.said\""};
    Lab& lab = form(kill_clients("drain_command = " + hook.path() + "\n"));
    const Nanos asked = boottime_now();
    EXPECT_EQ(lab.crsctl(3, {"stop", "css"}).status, 0);
    const auto left = lab.wait_told(1, told("left", 3), asked);
    ASSERT_TRUE(left);
    EXPECT_GE(left->time, asked + nanos(milliseconds{300}));
    EXPECT_EQ(hook.said(), "node3 3\n");
    expect_nobody_evicted(asked);
}

/// A program that registers its cgroup by libcss: this one does it for processes of its own.
TEST_F(Fencing, S8_ACgroupThatAProgramRegisteredGoesAsAWhole) {
    const auto cgroup = testing::TestCgroup::make(client::CgroupKind::kV2);
    if (!cgroup) {
        GTEST_SKIP() << "no cgroups of version 2 here";
    }
    Lab& lab = form(kill_clients("autorejoin_interval = 60\n"));
    Child first{{"sleep", "1000"}, {}};
    Child second{{"sleep", "1000"}, {}};
    cgroup->add(first.pid());
    cgroup->add(second.pid(), "below");
    css_t* css = nullptr;
    ASSERT_EQ(css_connect(lab.run_dir(3).c_str(), &css), 0);
    {
        const UniqueFd directory{::open(cgroup->path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
        ASSERT_EQ(css_register_cgroup(css, directory.get()), 0);
    }
    EXPECT_EQ(css_wait_active(css, nanos(kPatience)), 0);
    const Nanos asked = boottime_now();
    EXPECT_EQ(lab.crsctl(1, {"evict", "css", "node", "node3"}).status, 0);
    EXPECT_TRUE(first.wait(kPatience));
    EXPECT_TRUE(second.wait(kPatience));
    EXPECT_EQ(css_may_act(css, nullptr), 0);
    // The next instance has clients of its own: this handle has had its time.
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, asked));
    EXPECT_EQ(css_wait_active(css, nanos(kPatience)), -ECONNRESET);
    css_disconnect(css);
    ASSERT_EQ(css_connect(lab.run_dir(3).c_str(), &css), 0);
    css_disconnect(css);
}

// ------------------------------------------------------------------------------ at the speed of
// news

TEST_F(Fencing, E1_ADeadDaemonIsReplacedAtOnceItsGuardiansVouchForIt) {
    Lab& lab = form(kill_clients("", kDefaults));
    const Nanos off = boottime_now();
    lab.daemon(3).signal(SIGKILL);
    EXPECT_TRUE(lab.wait_complete({1, 2}, off, milliseconds{10'000}));
    EXPECT_TRUE(lab.wait_ended(3));
    // Not as a clean leave: nobody asked for it, and operators must hear of it.
    EXPECT_TRUE(lab.wait_told(1, told("evict", 3), off));
    const auto confirmed = lab.wait_told(1, told("evict_confirmed", 3), off);
    ASSERT_TRUE(confirmed);
    EXPECT_NE(confirmed->reason.find("(E1)"), std::string::npos) << confirmed->reason;
    EXPECT_NE(lab.alert_log(1).find("CRS-1607: Node node3 is being evicted"), std::string::npos);

    // Back, it tells what happened to its former life, once in the alert log.
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, off));
    EXPECT_TRUE(
        wait_alert(3, "CRS-8011: reboot advisory message from host: node3, component: cssdagent"));
    EXPECT_NE(history(3).find("cssd died while the node was active: clients killed"),
              std::string::npos)
        << history(3);
}

TEST_F(Fencing, E5_ARebootingNodeSaysResettingFirst) {
    LabOptions options = kDefaults;
    options.reboottime = milliseconds{2000};
    options.fence_action = "reboot";
    Lab& lab = form(options);
    const Nanos off = boottime_now();
    lab.daemon(3).signal(SIGKILL);
    // Here the reset has no effect, so the clients are killed and that is said, too.
    EXPECT_TRUE(lab.wait_complete({1, 2}, off, milliseconds{10'000}));
    EXPECT_NE(resets(), "");
    EXPECT_TRUE(lab.wait_ended(3));
}

// ------------------------------------------------------------------------------------ restart

TEST_F(Fencing, S8_ADaemonRestartedAtOnceFindsItsFormerClientsGone) {
    Lab& lab = form({});
    for (int round = 0; round < 3; ++round) {
        const Nanos off = boottime_now();
        lab.daemon(3).kill();
        ASSERT_TRUE(lab.start(3));  // As fast as a service manager can: it awaits the end.
        EXPECT_TRUE(lab.client(3).wait(kPatience));
        EXPECT_TRUE(lab.wait_complete({1, 2, 3}, off));
        EXPECT_LT(lab.last_client_line(3),
                  lab.wait_told(1, told("joined", 3), off).value_or(Told{}).time);
        lab.start_client(3);
        expect_acts(3, off);
    }
}

TEST_F(Fencing, S8_ClientsOfADaemonThatDiedWithItsGuardiansEndBeforeItsNextLife) {
    Lab& lab = form({});
    const Nanos off = boottime_now();
    const pid_t agent = guardian(3, "cssdagent");
    const pid_t monitor = guardian(3, "cssdmonitor");
    for (const int number : {SIGSTOP, SIGKILL}) {  // None of the three sees another go.
        for (const pid_t pid : {agent, monitor, lab.daemon(3).pid()}) {
            ASSERT_EQ(::kill(pid, number), 0);
        }
    }
    EXPECT_TRUE(lab.client(3).running());
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.client(3).wait(kPatience));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, off));
    EXPECT_LT(lab.last_client_line(3),
              lab.wait_told(1, told("joined", 3), off).value_or(Told{}).time);
}

TEST_F(Fencing, S8_WithoutGuardiansTheDaemonEndsItsClients) {
    form({});
    const Nanos off = boottime_now();
    ASSERT_EQ(::kill(guardian(3, "cssdagent"), SIGKILL), 0);
    ASSERT_EQ(::kill(guardian(3, "cssdmonitor"), SIGKILL), 0);
    expect_survivors({1, 2}, off);
}

TEST_F(Fencing, S8_ASecondDaemonOfTheSameNumberDoesNoHarm) {
    Lab& lab = form({});
    const Nanos begun = boottime_now();
    // The same configuration in a run directory of its own: its address is taken.
    const std::string run_dir = lab.directory() + "/clone";
    ASSERT_EQ(::mkdir(run_dir.c_str(), 0755), 0);
    const Finished clone = run({CSS_E2E_CSSD,
                                "--config",
                                lab.run_dir(3) + "/../cssd.conf",
                                "--run-dir",
                                run_dir,
                                "--log-dir",
                                run_dir + "/log"},
                               lab.network().namespace_of(3));
    EXPECT_EQ(clone.status, 1);
    EXPECT_NE(clone.err.find("is another cssd running?"), std::string::npos) << clone.err;
    expect_nobody_evicted(begun);
    expect_acts(3, begun);
}

// ------------------------------------------------------------------------- the fence command (E4)

TEST_F(Fencing, E4_TheFenceCommandConfirms) {
    const Script off{"echo \"$@\" >> \"$0.said\"; echo powering off $2"};
    Lab& lab = form(dark_node(off.path()));  // Whoever never acted is confirmed at once (E6).
    Nanos cut = 0;
    ASSERT_NO_FATAL_FAILURE(power_returns_without_node3(cut));
    const auto by_1 = lab.wait_told(1, told("evict_confirmed", 3), cut, milliseconds{0});
    const auto by_2 = lab.wait_told(2, told("evict_confirmed", 3), cut, milliseconds{0});
    ASSERT_TRUE(by_1 || by_2);
    EXPECT_NE((by_1 ? *by_1 : *by_2).reason.find("(E4)"), std::string::npos);
    EXPECT_NE(off.said().find("off node3 3\n"), std::string::npos);
    EXPECT_EQ(off.said().find("node1"), std::string::npos);
    EXPECT_NE((trace(1) + trace(2)).find("fence_command for node node3: powering off node3"),
              std::string::npos);
}

TEST_F(Fencing, E4_ACommandThatFailsConfirmsNothing) {
    const Script off{"echo \"$@\" >> \"$0.said\"; echo no answer from the chassis; exit 1"};
    Lab& lab = form(dark_node(off.path()));  // Whoever never acted is confirmed at once (E6).
    Nanos cut = 0;
    ASSERT_NO_FATAL_FAILURE(power_returns_without_node3(cut));  // By another rule, later.
    for (const unsigned node : {1U, 2U}) {
        if (const auto by = lab.wait_told(node, told("evict_confirmed", 3), cut, milliseconds{0})) {
            EXPECT_EQ(by->reason.find("(E4)"), std::string::npos) << by->reason;
        }
    }
    EXPECT_NE(off.said(), "");
    EXPECT_NE((lab.alert_log(1) + lab.alert_log(2))
                  .find("fence_command off node3 3 ended with exit code 1; it does not confirm"),
              std::string::npos);
}

/// Whoever stops by itself is not powered off.
TEST_F(Fencing, E4_NobodyIsShotWhoSaysThatItStopped) {
    const Script off{"echo \"$@\" >> \"$0.said\""};
    Lab& lab = form(kill_clients("fence_command = " + off.path() + "\n"));
    const Nanos cut = boottime_now();
    EXPECT_EQ(lab.crsctl(1, {"evict", "css", "node", "node3"}).status, 0);
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, cut));
    EXPECT_EQ(lab.crsctl(2, {"stop", "css"}).status, 0);
    EXPECT_TRUE(lab.wait_complete({1, 3}, cut));
    lab.watch_for(lab.options().misscount);
    EXPECT_EQ(off.said(), "");
}

// ------------------------------------------------------------------------------- the watchdog

TEST_F(Fencing, S8_AMissingWatchdogIsSaidInEveryStatusAndTheAlertLog) {
    Lab& lab = form(kill_clients("watchdog_device = /nonexistent/watchdog\n", kDefaults));
    EXPECT_TRUE(status(1).starts_with("UNPROTECTED: no watchdog\n")) << status(1);
    EXPECT_NE(status(1).find("/nonexistent/watchdog cannot be opened: No such file or directory"),
              std::string::npos)
        << status(1);
    EXPECT_TRUE(wait_alert(
        1, "UNPROTECTED: no watchdog: /nonexistent/watchdog cannot be opened: No such file"));
    EXPECT_TRUE(lab.daemon(1).running());
}

TEST_F(Fencing, S2_AReboottimeWithoutRoomForTheWatchdogIsRefusedAtTheStart) {
    Lab& lab = make(kill_clients("watchdog_device = /dev/watchdog\n"));
    static_cast<void>(lab.start(1));
    EXPECT_TRUE(lab.daemon(1).wait(kPatience));
    EXPECT_EQ(lab.daemon(1).status(), 1);
    EXPECT_NE(
        lab.alert_log(1).find("watchdog_device: reboottime 400ms is too short for a watchdog: "
                              "give at least 1612ms"),
        std::string::npos)
        << lab.alert_log(1);
}

// ------------------------------------------------------------------ what must not disturb anybody

class Calm : public Fencing {
protected:
    /// Long enough for a heartbeat to be missed, on a machine that is loaded.
    LabOptions options() const {
        return {.misscount = milliseconds{6000},
                .disktimeout = milliseconds{12'000},
                .reboottime = milliseconds{1200}};
    }
    void expect_calm(Nanos since) {
        expect_nobody_evicted(since);
        for (const unsigned node : lab_->everybody()) {
            for (const Told& event : lab_->told_by(node)) {
                EXPECT_FALSE(event.time >= since && event.type == "suspect")
                    << "node " << node << ": " << event.reason;
            }
            expect_acts(node, boottime_now());
        }
    }
};

TEST_F(Calm, TwoHundredProgramsThatFloodTheControlSocket) {
    Lab& lab = form(options());
    std::vector<runtime::ControlClient> clients;
    for (int i = 0; i < 200; ++i) {
        auto client = runtime::ControlClient::connect(lab.run_dir(3));
        ASSERT_TRUE(client) << i << ": " << client.error().message;
        clients.push_back(std::move(*client));
    }
    const Nanos begun = boottime_now();
    unsigned answers = 0;
    while (boottime_now() < begun + nanos(milliseconds{4000})) {
        for (runtime::ControlClient& client : clients) {
            ASSERT_TRUE(client.send({{"request", "history"}}));
        }
        for (runtime::ControlClient& client : clients) {
            ASSERT_TRUE(client.receive(kPatience));
            ++answers;
        }
    }
    std::printf("%u answers in %.1f s\n", answers, as_millis(boottime_now() - begun) / 1000);
    clients.clear();
    expect_calm(begun);
}

TEST_F(Calm, ALogDirectoryThatIsGone) {
    Lab& lab = form(options());
    const Nanos begun = boottime_now();
    ASSERT_TRUE(run({"rm", "-rf", lab.run_dir(3) + "/../log"}).ok());
    EXPECT_TRUE(lab.crsctl(3, {"set", "log", "css", "CSSD:4"}).ok());  // Now it has much to say.
    lab.watch_for(lab.options().misscount);
    expect_calm(begun);
}

TEST_F(Calm, AFullDisk) {
    Lab& lab = make(options());
    const std::string log = lab.run_dir(3) + "/../log";
    ASSERT_EQ(::mkdir(log.c_str(), 0755), 0);
    ASSERT_EQ(::mount("css-full", log.c_str(), "tmpfs", 0, "size=64k,mode=755"), 0);
    struct Unmount {
        std::string path;
        ~Unmount() { static_cast<void>(::umount2(path.c_str(), MNT_DETACH)); }
    } unmount{log};
    ASSERT_TRUE(lab.form());
    for (const unsigned node : lab.everybody()) {
        lab.start_client(node);
        expect_acts(node, 0);
    }
    const Nanos begun = boottime_now();
    static_cast<void>(run({"dd", "if=/dev/zero", "of=" + log + "/filler", "bs=4096"}));
    EXPECT_TRUE(lab.crsctl(3, {"set", "log", "css", "CSSD:4"}).ok());
    lab.watch_for(lab.options().misscount);
    expect_calm(begun);
    // And it can still be fenced in time.
    lab.daemon(3).signal(SIGKILL);
    expect_survivors({1, 2}, begun);
}

TEST_F(Calm, GuardiansThatPauseForLessThanASecond) {
    Lab& lab = form(options());
    const Nanos begun = boottime_now();
    for (int round = 0; round < 5; ++round) {
        for (const char* name : {"cssdagent", "cssdmonitor"}) {
            const pid_t pid = guardian(3, name);
            ASSERT_EQ(::kill(pid, SIGSTOP), 0);
            lab.watch_for(milliseconds{300});
            ASSERT_EQ(::kill(pid, SIGCONT), 0);
        }
    }
    expect_calm(begun);
}

}  // namespace
}  // namespace css::e2e
