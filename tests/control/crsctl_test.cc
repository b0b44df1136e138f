#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "cssd/config/config.h"
#include "tests/control/memory_backend.h"
#include "tests/control/temporary_directory.h"

namespace css::runtime {
namespace {

using nlohmann::json;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
    int exit_code = -1;
    std::string out;
    std::string err;
};

class CrsctlTest : public testing::Test {
protected:
    void SetUp() override {
        auto started = ControlServer::start({.run_dir = directory_.path()}, backend_);
        ASSERT_TRUE(started) << started.error().message;
        server_ = std::move(*started);
    }

    [[nodiscard]] Outcome run(const std::string& program, const std::string& arguments) const {
        const std::string errors = directory_.path() + "/stderr";
        const std::string command = "TZ=UTC CSS_RUN_DIR=" + directory_.path() + " " + program +
                                    " " + arguments + " 2>" + errors;
        Outcome outcome;
        FILE* const pipe = ::popen(command.c_str(), "r");
        EXPECT_NE(pipe, nullptr);
        for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
            outcome.out.push_back(static_cast<char>(c));
        }
        const int status = ::pclose(pipe);
        outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        std::ostringstream text;
        text << std::ifstream{errors}.rdbuf();
        outcome.err = text.str();
        return outcome;
    }
    [[nodiscard]] Outcome crsctl(const std::string& arguments) const {
        return run(CRSCTL, arguments);
    }
    [[nodiscard]] Outcome olsnodes(const std::string& arguments) const {
        return run(OLSNODES, arguments);
    }
    void expect(const std::string& arguments, int exit_code, const std::string& out) const {
        const Outcome outcome = crsctl(arguments);
        EXPECT_EQ(outcome.exit_code, exit_code) << arguments;
        EXPECT_EQ(outcome.out, out) << arguments;
        EXPECT_EQ(outcome.err, "") << arguments;
    }
    [[nodiscard]] json ask(const std::string& arguments, int exit_code = 0) const {
        const Outcome outcome = crsctl(arguments + " --json");
        EXPECT_EQ(outcome.exit_code, exit_code) << arguments;
        EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
        return json::parse(outcome.out, nullptr, false);
    }

    TemporaryDirectory directory_;
    MemoryBackend backend_;
    std::unique_ptr<ControlServer> server_;
};

TEST_F(CrsctlTest, S1_10_GetWordForWord) {
    expect("get css misscount",
           0,
           "CRS-4678: Successful get misscount 30 for Cluster Synchronization Services.\n");
    expect("get css disktimeout",
           0,
           "CRS-4678: Successful get disktimeout 200 for Cluster Synchronization Services.\n");
    expect("get css reboottime",
           0,
           "CRS-4678: Successful get reboottime 3 for Cluster Synchronization Services.\n");
    expect("get css priority",
           0,
           "CRS-4678: Successful get priority 4 for Cluster Synchronization Services.\n");
    expect("get css clusterguid",
           0,
           "CRS-4678: Successful get clusterguid 0000000000000000000000000000001f for Cluster "
           "Synchronization Services.\n");
    EXPECT_EQ(
        ask("get css misscount"),
        (json{{"ok", true}, {"parameter", "misscount"}, {"value", "30"}, {"value_ms", 30'000}}));
}

TEST_F(CrsctlTest, S1_11_SetWordForWord) {
    expect("set css misscount 50",
           0,
           "CRS-4684: Successful set of parameter misscount to 50 for Cluster Synchronization "
           "Services.\n");
    expect("get css misscount",
           0,
           "CRS-4678: Successful get misscount 50 for Cluster Synchronization Services.\n");
    expect("set css misscount 20500ms",
           0,
           "CRS-4684: Successful set of parameter misscount to 20500ms for Cluster Synchronization "
           "Services.\n");
    expect("unset css misscount",
           0,
           "CRS-4647: Configuration parameter misscount is reset to default operation value.\n");
    expect("get css misscount",
           0,
           "CRS-4678: Successful get misscount 30 for Cluster Synchronization Services.\n");
}

TEST_F(CrsctlTest, S1_12_ConflictsWordForWord) {
    expect("set css misscount 50",
           0,
           "CRS-4684: Successful set of parameter misscount to 50 for Cluster Synchronization "
           "Services.\n");
    const std::string closing = "CRS-4000: Command Set failed, or completed with errors.\n";
    expect("set css disktimeout 50",
           1,
           "CRS-4696: Failed to set parameter disktimeout to 50 due to conflicting parameter "
           "misscount; the new value for disktimeout must be greater than 50.\n" +
               closing);
    expect("set css disktimeout 51",
           0,
           "CRS-4684: Successful set of parameter disktimeout to 51 for Cluster Synchronization "
           "Services.\n");
    expect("set css misscount 51",
           1,
           "CRS-4696: Failed to set parameter misscount to 51 due to conflicting parameter "
           "disktimeout; the new value for misscount must be less than 51.\n" +
               closing);
    expect("set css reboottime 50",
           1,
           "CRS-4696: Failed to set parameter reboottime to 50 due to conflicting parameter "
           "misscount; the new value for reboottime must be less than 50.\n" +
               closing);
    backend_.change([](DaemonView& v) {
        v.status.newest.parameters.disktimeout = std::chrono::seconds{25};
        v.status.newest.parameters.misscount = std::chrono::seconds{20};
    });
    expect("unset css misscount",
           1,
           "CRS-4696: Failed to set parameter misscount to 30 due to conflicting parameter "
           "disktimeout; the new value for misscount must be less than 25.\n"
           "CRS-4000: Command Unset failed, or completed with errors.\n");
}

TEST_F(CrsctlTest, S1_13_OverflowsAreRefusedAndNothingChanges) {
    for (const auto* const value : {"10000000000000",
                                    "9000000000",
                                    "99999999999",
                                    "2200099999",
                                    "86401",
                                    "-5",
                                    "abc",
                                    "0",
                                    "1.5"}) {
        expect(std::string{"set css disktimeout "} + value,
               1,
               std::string{"Invalid value "} + value +
                   " for parameter disktimeout: give a whole number of seconds from 31 to 86400.\n"
                   "CRS-4000: Command Set failed, or completed with errors.\n");
    }
    EXPECT_EQ(backend_.submitted(), 0U);
    expect("get css disktimeout",
           0,
           "CRS-4678: Successful get disktimeout 200 for Cluster Synchronization Services.\n");
}

TEST_F(CrsctlTest, VotediskTableByteForByte) {
    backend_.change([](DaemonView& v) {
        v.voting_files.at(1).state = core::FileState::kOffline;
        v.voting_files.at(2).state = core::FileState::kPending;
    });
    expect("query css votedisk",
           0,
           "##  STATE    File Universal Id                File Name Disk group\n"
           "--  -----    -----------------                --------- ---------\n"
           " 1. ONLINE   a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 (/v1) []\n"
           " 2. OFFLINE  a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2 (/v2) []\n"
           " 3. PENDING  a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3 (/v3) []\n"
           "Located 3 voting disk(s).\n");
    EXPECT_EQ(ask("query css votedisk")["votedisks"][0]["fuid"],
              "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
}

TEST_F(CrsctlTest, Check) {
    const std::string online = "CRS-4529: Cluster Synchronization Services is online\n";
    const std::string offline =
        "CRS-4530: Communications failure contacting Cluster Synchronization Services daemon\n";
    const std::string stars(62, '*');
    expect("check css", 0, online);
    expect("check cluster", 0, stars + "\nn1:\n" + online + stars + "\n");
    expect("check cluster -n n2 n3",
           0,
           stars + "\nn2:\n" + online + stars + "\nn3:\n" + online + stars + "\n");
    backend_.change([](DaemonView& v) { v.status.nodes[NodeNumber{3}] = {}; });
    expect("check cluster -all",
           1,
           stars + "\nn1:\n" + online + stars + "\nn2:\n" + online + stars + "\nn3:\n" + offline +
               stars + "\nCRS-4000: Command Check failed, or completed with errors.\n");
    EXPECT_EQ(ask("check cluster -all", 1)["nodes"][2],
              (json{{"name", "n3"}, {"online", false}, {"state", "OFFLINE"}}));
    expect("check cluster -n n9",
           1,
           "Node 'n9' is not in the nodes file.\n"
           "CRS-4000: Command Check failed, or completed with errors.\n");
    backend_.change([](DaemonView& v) { v.status.phase = core::Phase::kJoining; });
    expect("check css",
           1,
           "The daemon answers; its state is joining.\n" + offline +
               "CRS-4000: Command Check failed, or completed with errors.\n");
}

TEST_F(CrsctlTest, AnUnreachableDaemonIsExitThree) {
    server_.reset();
    const std::string reason =
        "CRS-4530: Communications failure contacting Cluster Synchronization Services daemon\n";
    for (const auto& [command, verb] :
         std::vector<std::pair<std::string, std::string>>{{"check css", "Check"},
                                                          {"get css misscount", "Get"},
                                                          {"set css misscount 50", "Set"},
                                                          {"unset css misscount", "Unset"},
                                                          {"query css votedisk", "Query"},
                                                          {"query css history", "Query"},
                                                          {"watch css events", "Watch"},
                                                          {"evict css node n2", "Evict"},
                                                          {"stop css", "Stop"},
                                                          {"stop cluster -all", "Stop"},
                                                          {"enable css", "Enable"},
                                                          {"disable css", "Disable"},
                                                          {"get log css CSSD", "Get"},
                                                          {"set log css CSSD:2", "Set"},
                                                          {"get server css_critical", "Get"}}) {
        expect(command,
               3,
               reason + "CRS-4000: Command " + verb + " failed, or completed with errors.\n");
    }
    EXPECT_EQ(ask("check css", 3)["ok"], false);
    EXPECT_EQ(olsnodes("").exit_code, 3);
}

TEST_F(CrsctlTest, UsageErrorsAreExitTwoAndOneLine) {
    for (const auto* const arguments : {"",
                                        "fly",
                                        "get",
                                        "get css",
                                        "get css colour",
                                        "get css misscount disktimeout",
                                        "set css misscount",
                                        "set css colour 3",
                                        "set css misscount 3 4",
                                        "unset css",
                                        "check css now",
                                        "check cluster n1",
                                        "check cluster -n",
                                        "check cluster -all -n n1",
                                        "query css",
                                        "query css votedisk 1",
                                        "query css history 3",
                                        "evict css node",
                                        "stop cluster",
                                        "stop css now",
                                        "set log css 2",
                                        "set server css_critical maybe",
                                        "get css misscount --colour",
                                        "--run-dir",
                                        "set css misscount 50 --json",
                                        "create css key",
                                        "add css votedisk"}) {
        for (const Outcome& outcome : {crsctl(arguments)}) {
            EXPECT_EQ(outcome.exit_code, 2) << arguments;
            EXPECT_EQ(outcome.out, "") << arguments;
            EXPECT_THAT(outcome.err, StartsWith("crsctl: ")) << arguments;
            EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << arguments;
        }
    }
    EXPECT_EQ(backend_.submitted(), 0U);
    EXPECT_EQ(crsctl("--help").exit_code, 0);
    EXPECT_EQ(crsctl("--version").out, "crsctl " CSS_VERSION "\n");
    EXPECT_EQ(olsnodes("--version").out, "olsnodes " CSS_VERSION "\n");
    EXPECT_EQ(olsnodes("--colour").exit_code, 2);
    EXPECT_EQ(crsctl("check css --run-dir /nonexistent").exit_code, 3);
}

TEST_F(CrsctlTest, StatusMembersAndHistory) {
    backend_.change([](DaemonView& v) {
        v.fence_action = "reboot";
        v.status.siot_in_force = true;
        v.status.lease_limited_by = NodeSet::of(NodeNumber{3});
        v.status.step = core::ReconfigurationStep::kConfirm;
        v.status.waits_for = NodeSet::of(NodeNumber{3});
        v.status.nodes[NodeNumber{2}].connected = v.status.newest.members;
        v.last_eviction = Event{.when = v.now,
                                .type = "evict",
                                .node = "n3",
                                .incarnation = 5,
                                .reason = "a network link was lost"};
    });
    expect("query css status",
           0,
           "UNPROTECTED: no watchdog\n"
           "Cluster:          demo\n"
           "Node:             n1 (1), unique 77, member, start mode enabled\n"
           "May act:          yes\n"
           "Lease left:       26.412 s, SIOT (not heard lately to be heard by: n3)\n"
           "Quorum:           3 of 3 voting files online, 2 needed\n"
           "Incarnation:      5 decided, 5 complete\n"
           "Members:          n1 n2 n3\n"
           "Reconfiguration:  confirm, waits for n3\n"
           "Last eviction:    1970-01-01 00:00:01.000  5  evict n3: a network link was lost\n");
    expect("query css members",
           0,
           "##  NAME  STATE   UNIQUE  SINCE  NHB   DHB   WEIGHT  CONNECTED TO\n"
           "1   n1    ONLINE  77      5      -     0 ms  1       -\n"
           "2   n2    ONLINE  78      5      0 ms  0 ms  1       n1 n2 n3\n"
           "3   n3    ONLINE  79      5      0 ms  0 ms  1       -\n");
    EXPECT_EQ(ask("query css status")["lease"]["left_ms"], 26'412);
    EXPECT_EQ(ask("query css members")["nodes"].size(), 3U);
    expect("query css history", 0, "");
    backend_.add_history(
        {.when = backend_.view().now, .type = "joined", .node = "n2", .incarnation = 4});
    expect("query css history", 0, "1970-01-01 00:00:01.000  4  joined n2\n");
    EXPECT_EQ(ask("query css history")["events"][0]["type"], "joined");
}

TEST_F(CrsctlTest, Groups) {
    expect("query css groups",
           0,
           "Group HB+ASM: 2 members, last event 17, owned by uid 0\n"
           "      member  node                     pid     uid  data bytes\n"
           "           4  n1 (1)                  2871       0          12\n"
           "          31  n2 (2)                    77       0           0  to be killed\n"
           "Located 1 group(s). Node n1 orders their events; in order at position 42, "
           "incarnation 5.\n");
    EXPECT_EQ(ask("query css groups HB+ASM")["groups"][0]["members"].size(), 2U);
    expect("query css groups none",
           1,
           "There is no group 'none'.\n"
           "CRS-4000: Command Query failed, or completed with errors.\n");
}

TEST_F(CrsctlTest, BeforeAnyVotingFileWasRead) {
    backend_.change([](DaemonView& v) {
        v.cluster_guid.reset();
        v.status = {};
        v.fault = "/v1: No such file or directory";
    });
    expect("get css misscount",
           1,
           "No voting file was read yet, so misscount is not known.\n"
           "CRS-4000: Command Get failed, or completed with errors.\n");
    EXPECT_EQ(crsctl("set css misscount 50").exit_code, 1);
    EXPECT_THAT(crsctl("query css status").out, HasSubstr("Attention:        /v1: No such file"));
    EXPECT_THAT(crsctl("query css status").out, HasSubstr("Lease left:       none\n"));
    EXPECT_EQ(backend_.submitted(), 0U);
}

TEST_F(CrsctlTest, ModesLogsAndAttributes) {
    expect("get server css_critical",
           0,
           "CRS-5092: Current value of the server attribute CSS_CRITICAL is no.\n");
    expect("set server css_critical yes",
           0,
           "CRS-4416: Server attribute 'CSS_CRITICAL' successfully changed.\n");
    expect("get server css_critical",
           0,
           "CRS-5092: Current value of the server attribute CSS_CRITICAL is yes.\n");
    expect("get log css CSSD", 0, "Get CSSD Module: CSSD  Log Level: 2\n");
    expect("set log css CSSD:3", 0, "Set CSSD Module: CSSD  Log Level: 3\n");
    EXPECT_EQ(ask("get log css CSSD")["name"], "debug");
    expect("set log css CSSD:warn", 0, "Set CSSD Module: CSSD  Log Level: 1\n");
    EXPECT_EQ(crsctl("set log css CSSD:loud").exit_code, 1);
    EXPECT_EQ(crsctl("disable css").exit_code, 0);
    EXPECT_EQ(crsctl("enable css").exit_code, 0);
    EXPECT_EQ(backend_.saved().back(),
              (std::pair<std::string, std::string>{"start_mode", "enabled"}));
}

TEST_F(CrsctlTest, EvictVotingFilesAndNodes) {
    expect("evict css node n9",
           1,
           "Node 'n9' is not in the nodes file.\n"
           "CRS-4000: Command Evict failed, or completed with errors.\n");
    expect("evict css node n3", 0, "Node n3 was evicted and is known to have stopped.\n");
    expect("evict css node n3",
           1,
           "The node is not a member of the cluster.\n"
           "CRS-4000: Command Evict failed, or completed with errors.\n");
    expect("add css votedisk /v4",
           0,
           "Now formatting voting disk: /v4.\n"
           "CRS-4603: Successful addition of voting disk /v4.\n");
    expect("delete css votedisk /v1", 0, "CRS-4611: Successful deletion of voting disk /v1.\n");
    expect("reload css nodes", 0, "The nodes file was read again on all members: 3 nodes.\n");
    expect("replace css key",
           0,
           "The key was replaced on all members: its fingerprint is 0123456789abcdef. The former "
           "key counts for 30 seconds more.\n");
    for (const auto* const verb : {"add", "delete", "replace"}) {
        const Outcome outcome = crsctl(std::string{verb} + " css votedisk");
        EXPECT_EQ(outcome.exit_code, 2);
        EXPECT_THAT(outcome.err, HasSubstr("give at least one voting file"));
    }
    EXPECT_EQ(crsctl("reload css nodes now").exit_code, 2);
    EXPECT_EQ(crsctl("replace css key cluster.key").exit_code, 2);
}

TEST_F(CrsctlTest, StopWaitsForTheEndOfTheDaemon) {
    backend_.hold();
    std::thread daemon{[this] {
        while (backend_.held() == 0) {
            std::this_thread::yield();
        }
        backend_.release(core::RequestResult::kDone);
        server_.reset();
    }};
    expect("stop css", 0, "Cluster Synchronization Services on this node has stopped.\n");
    daemon.join();
}

TEST_F(CrsctlTest, StopThatEndsWithoutALeaveIsAFailure) {
    backend_.hold();
    std::thread daemon{[this] {
        while (backend_.held() == 0) {
            std::this_thread::yield();
        }
        server_.reset();
    }};
    const Outcome outcome = crsctl("stop css");
    daemon.join();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.out, HasSubstr("before it had left"));
}

TEST_F(CrsctlTest, WatchPrintsEventsUntilTheDaemonEnds) {
    std::atomic<bool> done = false;
    std::thread daemon{[this, &done] {
        // Whoever watches from some moment on sees what is published after it: publish until one
        // event got through, then end.
        for (int i = 0; !done && i < 2000; ++i) {
            server_->publish({.type = "complete", .incarnation = 6, .members = {"n1", "n2"}});
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
        server_.reset();
    }};
    const Outcome outcome = run(CRSCTL, "watch css events --json | head -1");
    done = true;
    daemon.join();
    const auto event = json::parse(outcome.out, nullptr, false);
    ASSERT_TRUE(event.is_object()) << outcome.out;
    EXPECT_EQ(event["type"], "complete");
    EXPECT_EQ(event["members"], (json{"n1", "n2"}));
}

TEST_F(CrsctlTest, CreatesAKeyFileOnce) {
    const std::string path = directory_.path() + "/key";
    expect("create css key " + path, 0, "Created key file " + path + ".\n");
    EXPECT_EQ(std::filesystem::status(path).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    const Outcome again = crsctl("create css key " + path);
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_THAT(again.out,
                EndsWith("CRS-4000: Command Create failed, or completed with errors.\n"));
}

TEST_F(CrsctlTest, Olsnodes) {
    backend_.change([](DaemonView& v) { v.status.newest.members.erase(NodeNumber{3}); });
    EXPECT_EQ(olsnodes("").out, "n1\nn2\nn3\n");
    EXPECT_EQ(olsnodes("-n -s -t").out,
              "n1\t1\tActive\tPinned\nn2\t2\tActive\tPinned\nn3\t3\tInactive\tPinned\n");
    EXPECT_EQ(olsnodes("-nst n3").out, "n3\t3\tInactive\tPinned\n");
    EXPECT_EQ(olsnodes("-l -p").out, "n1\t10.0.0.1\n");
    EXPECT_EQ(olsnodes("-c").out, "demo\n");
    EXPECT_EQ(olsnodes("n9").exit_code, 1);
}

}  // namespace
}  // namespace css::runtime
