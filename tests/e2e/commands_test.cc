#include <filesystem>
#include <regex>

#include <nlohmann/json.hpp>

#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

class Commands : public ClusterTest {
protected:
    void expect_status(const Finished& done, int status) {
        EXPECT_EQ(done.status, status) << done.out << done.err;
    }
};

TEST_F(Commands, CleanStopIsToldAtOnceAndTheNodeComesBack) {
    // Nothing may wait for the next interval, at any time-outs: these are the defaults.
    Lab& lab = form({.misscount = std::chrono::seconds{30},
                     .disktimeout = std::chrono::seconds{200},
                     .reboottime = std::chrono::seconds{3}});
    const Nanos asked = boottime_now();
    expect_status(lab.crsctl(3, {"stop", "css"}), 0);
    EXPECT_TRUE(lab.wait_complete({1, 2}, asked));
    EXPECT_TRUE(lab.wait_told(1, told("left", 3), asked));
    EXPECT_TRUE(lab.wait_silent(3));
    EXPECT_LT(boottime_now() - asked, nanos(milliseconds{10'000}));
    expect_nobody_evicted(asked);
    EXPECT_NE(lab.alert_log(1).find("CRS-1625: Node node3, number 3, was shut down"),
              std::string::npos);
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, asked));
}

TEST_F(Commands, SigtermIsACleanStop) {
    Lab& lab = form({});
    const Nanos asked = boottime_now();
    lab.daemon(2).signal(SIGTERM);
    expect_survivors({1, 3}, asked);
    expect_nobody_evicted(asked);
    EXPECT_EQ(lab.daemon(2).status(), 0);
}

TEST_F(Commands, StopClusterEndsAllNodes) {
    Lab& lab = form({});
    const Nanos asked = boottime_now();
    expect_status(lab.crsctl(2, {"stop", "cluster", "-all"}), 0);
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.wait_silent(node)) << "node " << node;
        EXPECT_EQ(lab.daemon(node).status(), 0) << "node " << node;
    }
    expect_nobody_evicted(asked);
}

TEST_F(Commands, EvictByHandIsDoneWhenTheNodeHasStopped) {
    Lab& lab = form({});
    const Nanos asked = boottime_now();
    expect_status(lab.crsctl(1, {"evict", "css", "node", "node3"}), 0);
    const Nanos done = boottime_now();
    expect_survivors({1, 2}, asked);
    EXPECT_LT(lab.last_client_line(3), done);
    EXPECT_TRUE(lab.wait_told(3, told("lease_lost"), asked));
    EXPECT_NE(lab.alert_log(3).find("CRS-1608: This node was evicted by node "), std::string::npos);
    const Finished unknown = lab.crsctl(1, {"evict", "css", "node", "node9"});
    expect_status(unknown, 1);
    EXPECT_TRUE(
        unknown.out.ends_with("CRS-4000: Command Evict failed, or completed with errors.\n"))
        << unknown.out;
}

/// `start_mode` is about joining: a member that is disabled stays until it stops.
TEST_F(Commands, DisabledNodeDoesNotJoinUntilEnabled) {
    Lab& lab = form({});
    const Nanos disabled = boottime_now();
    expect_status(lab.crsctl(3, {"disable", "css"}), 0);
    expect_acts(3, boottime_now());
    ASSERT_TRUE(lab.crsctl(3, {"stop", "css"}).ok());
    ASSERT_TRUE(lab.wait_complete({1, 2}, disabled));
    ASSERT_TRUE(lab.wait_silent(3));

    const Nanos again = boottime_now();
    ASSERT_TRUE(lab.start(3));
    lab.watch_for(2 * lab.options().misscount);
    EXPECT_FALSE(lab.wait_told(1, told("joined", 3), again, milliseconds{0}));
    expect_status(lab.crsctl(3, {"enable", "css"}), 0);
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, again));
}

TEST_F(Commands, VotediskTableIsOraclesByteForByte) {
    Lab& lab = form({});
    const Finished asked = lab.crsctl(2, {"query", "css", "votedisk"});
    expect_status(asked, 0);
    std::string table =
        "##  STATE    File Universal Id                File Name Disk group\n"
        "--  -----    -----------------                --------- ---------\n";
    unsigned number = 0;
    for (const std::string& path : lab.disks().paths(2)) {
        table +=
            " " + std::to_string(++number) + ". ONLINE   [0-9a-f]{32} \\(" + path + "\\) \\[\\]\n";
    }
    table += "Located 3 voting disk\\(s\\)\\.\n";
    EXPECT_TRUE(std::regex_match(asked.out, std::regex{table})) << asked.out;

    const auto json = nlohmann::json::parse(
        lab.crsctl(2, {"query", "css", "votedisk", "--json"}).out, nullptr, false);
    EXPECT_TRUE(json.is_object());
}

TEST_F(Commands, QueriesAnswer) {
    Lab& lab = form({});
    expect_status(lab.crsctl(1, {"check", "css"}), 0);
    EXPECT_EQ(lab.crsctl(1, {"check", "css"}).out,
              "CRS-4529: Cluster Synchronization Services is online\n");
    EXPECT_NE(lab.crsctl(1, {"check", "cluster", "-all"}).out.find("node3:"), std::string::npos);
    EXPECT_TRUE(std::regex_match(lab.crsctl(1, {"get", "css", "clusterguid"}).out,
                                 std::regex{"CRS-4678: Successful get clusterguid [0-9a-f]{32} "
                                            "for Cluster Synchronization Services\\.\n"}));
    const std::string members = lab.crsctl(1, {"query", "css", "members"}).out;
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(std::regex_search(members, std::regex{node_name(node) + " +ONLINE"}))
            << members;
    }
    const std::string status = lab.crsctl(1, {"query", "css", "status"}).out;
    EXPECT_NE(status.find("3 of 3"), std::string::npos) << status;
    for (const char* what : {"members", "status", "history"}) {
        const Finished asked = lab.crsctl(1, {"query", "css", what, "--json"});
        expect_status(asked, 0);
        EXPECT_FALSE(nlohmann::json::parse(asked.out, nullptr, false).is_discarded()) << what;
    }
    EXPECT_EQ(lab.olsnodes(1).out, "node1\nnode2\nnode3\n");
    EXPECT_EQ(lab.olsnodes(1, {"-n", "-s"}).out,
              "node1\t1\tActive\nnode2\t2\tActive\nnode3\t3\tActive\n");
}

TEST_F(Commands, BothSidesOfACutShowTheOtherUnreachable) {
    Lab& lab = form({.misscount = std::chrono::seconds{12},
                     .disktimeout = std::chrono::seconds{60},
                     .reboottime = std::chrono::seconds{2}});
    lab.network().part({1, 2}, {3});
    const Nanos deadline = boottime_now() + nanos(milliseconds{9000});
    const auto shows = [&](unsigned node, const std::string& other) {
        const std::string out = lab.crsctl(node, {"query", "css", "members"}).out;
        return std::regex_search(out, std::regex{other + " +UNREACHABLE"});
    };
    bool seen = false;
    while (!seen && boottime_now() < deadline) {
        seen = shows(1, "node3") && shows(3, "node1");
        lab.watch_for(milliseconds{100});
    }
    EXPECT_TRUE(seen);
}

TEST_F(Commands, ExitCodesAndTheLastLine) {
    Lab& lab = form({.nodes = 1});
    expect_status(lab.crsctl(1, {"get", "css", "nonsense"}), 2);
    expect_status(lab.crsctl(1, {"frobnicate"}), 2);
    expect_status(lab.crsctl(1, {"set", "css", "misscount"}), 2);
    expect_status(lab.crsctl(1, {"--help"}), 0);
    expect_status(lab.crsctl(1, {"--version"}), 0);
    expect_status(run({CSS_E2E_CSSD, "--no-such-option"}), 2);

    expect_status(lab.crsctl(1, {"stop", "css"}), 0);
    ASSERT_TRUE(lab.wait_silent(1));
    const Finished get = lab.crsctl(1, {"get", "css", "misscount"});
    expect_status(get, 3);
    EXPECT_TRUE(get.out.ends_with("CRS-4000: Command Get failed, or completed with errors.\n"))
        << get.out;
    const Finished check = lab.crsctl(1, {"check", "css"});
    expect_status(check, 3);
    EXPECT_EQ(check.out,
              "CRS-4530: Communications failure contacting Cluster Synchronization Services "
              "daemon\nCRS-4000: Command Check failed, or completed with errors.\n");
}

TEST_F(Commands, OnlyRootOrTheDaemonsUserChangesAnything) {
    Lab& lab = form({.nodes = 1});
    // Where the programs were built, another user may have no access.
    const std::string copy = lab.directory() + "/crsctl";
    std::filesystem::copy_file(CSS_E2E_CRSCTL, copy);
    const Finished asked = run({"setpriv",
                                "--reuid=65534",
                                "--regid=65534",
                                "--clear-groups",
                                copy,
                                "--run-dir",
                                lab.run_dir(1),
                                "set",
                                "css",
                                "disktimeout",
                                "9"});
    EXPECT_EQ(asked.out,
              "CRS-4563: Insufficient user privileges.\n"
              "CRS-4000: Command Set failed, or completed with errors.\n");
    expect_status(asked, 1);
    EXPECT_EQ(lab.crsctl(1, {"get", "css", "disktimeout"}).out,
              "CRS-4678: Successful get disktimeout 6 for Cluster Synchronization Services.\n");
}

TEST_F(Commands, LogLevelIsSetAndShown) {
    Lab& lab = form({.nodes = 1});
    expect_status(lab.crsctl(1, {"set", "log", "css", "CSSD:3"}), 0);
    const Finished got = lab.crsctl(1, {"get", "log", "css", "CSSD"});
    expect_status(got, 0);
    EXPECT_NE(got.out.find("Log Level: 3"), std::string::npos) << got.out;
}

TEST_F(Commands, ThreadsAreNamed) {
    Lab& lab = form({.nodes = 2});
    const std::string names =
        run({"ps", "-T", "-o", "comm=", "-p", std::to_string(lab.daemon(1).pid())}).out;
    for (const char* name : {"sending", "dispatch", "polling", "reconf", "diskping", "control"}) {
        EXPECT_NE(names.find(name), std::string::npos) << name << " is not among:\n" << names;
    }
}

}  // namespace
}  // namespace css::e2e
