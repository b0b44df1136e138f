#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/runtime/cluster.h"

namespace css::e2e {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;

constexpr milliseconds kPatience = LoopbackCluster::kPatience;

TEST(Daemon, OneNodeFormsActsAndLeavesNothingBehind) {
    LoopbackCluster cluster{1, 3};
    cluster.format();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    ASSERT_EQ(cluster.guardians(1).size(), 2U);
    cluster.daemon(1).signal(SIGTERM);
    ASSERT_TRUE(cluster.daemon(1).wait(kPatience));
    EXPECT_EQ(cluster.daemon(1).status(), 0);
    EXPECT_TRUE(cluster.guardians(1).empty());
    EXPECT_NE(cluster.alert_log(1).find("CRS-1603: CSSD on node n1 has been shut down."),
              std::string::npos);
    for (const char* name : {"cssd.pid", "cssd.sock", "client.sock", "cssdagent.sock"}) {
        EXPECT_FALSE(std::filesystem::exists(cluster.run_dir(1) + "/" + name)) << name;
    }
}

TEST(Daemon, ThreadsAreVisibleByName) {
    LoopbackCluster cluster{1, 3};
    cluster.format();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    Names names;
    for (const auto& thread : e2e::threads_of(cluster.daemon(1).pid())) {
        std::getline(std::ifstream{thread / "comm"}, names.emplace_back());
    }
    for (const char* name : {"sending",
                             "dispatch",
                             "polling",
                             "reconfig",
                             "diskping 1",
                             "diskping 2",
                             "diskping 3",
                             "dpmonitor",
                             "killblock",
                             "control",
                             "clients",
                             "groups",
                             "guardian",
                             "log"}) {
        EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
    }
}

TEST(Daemon, ThreeNodesFormACrashIsReplacedAndTheNodeComesBack) {
    LoopbackCluster cluster{3, 3};
    cluster.format();
    for (const unsigned node : {1U, 2U, 3U}) {
        cluster.start(node);
    }
    for (const unsigned node : {1U, 2U, 3U}) {
        ASSERT_TRUE(cluster.wait_members(node, {"n1", "n2", "n3"})) << cluster.alert_log(node);
    }
    const std::uint64_t before = cluster.view(1)->at("incarnation");
    cluster.crash(3);
    ASSERT_TRUE(cluster.wait_members(1, {"n1", "n2"})) << cluster.alert_log(1);
    ASSERT_TRUE(cluster.wait_members(2, {"n1", "n2"})) << cluster.alert_log(2);
    EXPECT_GT(cluster.view(1)->at("incarnation").get<std::uint64_t>(), before);
    EXPECT_TRUE(cluster.wait_alert(1, "CRS-1607: Node n3 is being evicted"));
    cluster.start(3);
    for (const unsigned node : {1U, 2U, 3U}) {
        ASSERT_TRUE(cluster.wait_members(node, {"n1", "n2", "n3"})) << cluster.alert_log(node);
    }
}

// The guardians outlive the daemon; the next one is taken by them.
TEST(Daemon, RestartAfterADaemonDiedAlone) {
    LoopbackCluster cluster{1, 3};
    cluster.format();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    const std::uint64_t before = cluster.view(1)->at("unique");
    const auto guardians = cluster.guardians(1);
    cluster.daemon(1).kill();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    EXPECT_GT(cluster.view(1)->at("unique").get<std::uint64_t>(), before);
    EXPECT_EQ(cluster.guardians(1), guardians);
}

// PROTOCOL 4 (e): a missing guardian is a lapsed lease.
TEST(Daemon, StopsWhenAGuardianIsGone) {
    LoopbackCluster cluster{1, 1};
    cluster.format();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    ASSERT_EQ(::kill(cluster.guardians(1).front(), SIGKILL), 0);
    ASSERT_TRUE(cluster.daemon(1).wait(kPatience));
    EXPECT_NE(cluster.daemon(1).status(), 0);
}

// PROTOCOL 4 (a) without the daemon's help: a hung one is ended by its guardians.
TEST(Daemon, AStoppedDaemonIsKilledAtItsLeaseEnd) {
    LoopbackCluster cluster{1, 1};
    cluster.format();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    cluster.daemon(1).signal(SIGSTOP);
    ASSERT_TRUE(cluster.daemon(1).wait(kPatience));
    EXPECT_EQ(cluster.daemon(1).status(), 128 + SIGKILL);
}

TEST(Daemon, ASecondOneOnTheSameRunDirIsRefused) {
    LoopbackCluster cluster{1, 1};
    cluster.format();
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    const Finished second = run({CSS_E2E_CSSD, "--config", cluster.config_file(1)});
    EXPECT_EQ(second.status, 1);
    EXPECT_NE(second.err.find("another cssd (pid " + std::to_string(cluster.daemon(1).pid()) + ")"),
              std::string::npos)
        << second.err;
    EXPECT_TRUE(cluster.wait_members(1, {"n1"}));
}

TEST(Daemon, ADirectoryThatOthersMayWriteToIsRefused) {
    LoopbackCluster cluster{1, 1};
    cluster.format();
    for (const std::string key : {"run", "log"}) {
        const std::string path = cluster.run_dir(1) + "/../" + key;
        std::filesystem::create_directories(path);
        ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
        const Finished refused = run({CSS_E2E_CSSD, "--config", cluster.config_file(1)});
        EXPECT_EQ(refused.status, 1);
        EXPECT_EQ(refused.err.find("cssd: " + key + "_dir: everybody may change what is in /"), 0U)
            << refused.err;
        EXPECT_NE(refused.err.find("mode 0777"), std::string::npos) << refused.err;
        ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    }
    EXPECT_TRUE(cluster.guardians(1).empty());
}

/// A place that somebody else may exchange is told, and no reason to stay away.
TEST(Daemon, DoubtsAboutPlacesAreInTheAlertLog) {
    LoopbackCluster cluster{1, 1};
    cluster.format();
    const std::string above = std::filesystem::path{cluster.config_file(1)}.parent_path().string();
    ASSERT_EQ(::chmod(above.c_str(), 0777), 0);
    ASSERT_EQ(::chmod(cluster.config_file(1).c_str(), 0666), 0);
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
    EXPECT_TRUE(cluster.wait_alert(
        1, "CRS-1657: Warning: --config: everybody may change " + cluster.config_file(1)));
    EXPECT_TRUE(cluster.wait_alert(1,
                                   "CRS-1657: Warning: --config, log_dir, run_dir: everybody may "
                                   "put something else in the place of what is in " +
                                       above));
}

TEST(Daemon, AnswersAndSaysWhyWhileItWaitsForVotingFiles) {
    LoopbackCluster cluster{1, 3};
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_view(1, [&](const json& view) {
        return view["fault"].is_string() &&
               view["fault"].get<std::string>().find(cluster.voting_file(1)) != std::string::npos;
    }));
    EXPECT_TRUE(cluster.wait_alert(1, "CRS-1714"));
    cluster.format();
    EXPECT_TRUE(cluster.wait_members(1, {"n1"})) << cluster.alert_log(1);
}

TEST(Daemon, LeavesWhenAskedToWhileItWaitsForVotingFiles) {
    LoopbackCluster cluster{1, 3};
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_view(1, [](const json&) { return true; }));
    cluster.daemon(1).signal(SIGTERM);
    ASSERT_TRUE(cluster.daemon(1).wait(kPatience));
    EXPECT_EQ(cluster.daemon(1).status(), 0);
    EXPECT_TRUE(cluster.guardians(1).empty());
}

TEST(Daemon, AFileOfAnotherClusterIsRefusedByName) {
    LoopbackCluster cluster{1, 3};
    cluster.format();
    cluster.format_foreign(2);
    cluster.start(1);
    ASSERT_TRUE(cluster.wait_view(1, [&](const json& view) {
        return view["fault"].is_string() &&
               view["fault"].get<std::string>().find(
                   cluster.voting_file(2) + " belongs to another cluster") != std::string::npos;
    })) << cluster.view(1)->dump(1);
    EXPECT_TRUE(cluster.wait_alert(1, cluster.voting_file(2) + " belongs to another cluster"));
    const json view = *cluster.view(1);
    EXPECT_EQ(view["phase"], "starting");
    EXPECT_EQ(view["unique"], 0);
}

}  // namespace
}  // namespace css::e2e
