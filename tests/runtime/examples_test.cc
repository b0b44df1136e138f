#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/runtime/cluster.h"

// The examples as tools/examples/README.md says, with real daemons.

namespace css::e2e {
namespace {

constexpr milliseconds kPatience = LoopbackCluster::kPatience;

bool wait_until(const std::function<bool()>& holds) {
    const Nanos limit = boottime_now() + nanos(kPatience);
    while (!holds() && boottime_now() < limit) {
        std::this_thread::sleep_for(milliseconds{10});
    }
    return holds();
}

std::string contents(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class Examples : public ::testing::Test {
protected:
    [[nodiscard]] std::string path(const std::string& name) const {
        return cluster_.run_dir(1) + "/../" + name;
    }
    /// Process ids that the commands have written, one a line.
    [[nodiscard]] std::vector<pid_t> started() const {
        std::istringstream lines{contents(path("started"))};
        std::vector<pid_t> pids;
        for (pid_t pid = 0; lines >> pid;) {
            pids.push_back(pid);
        }
        return pids;
    }
    [[nodiscard]] Words css_run(const Words& options = {}) const {
        Words words{CSS_RUN, "--run-dir", cluster_.run_dir(1)};
        words.insert(words.end(), options.begin(), options.end());
        for (const std::string& word : {std::string{"--"},
                                        std::string{"sh"},
                                        std::string{"-c"},
                                        "echo $$ >> " + path("started") + "; exec sleep 1000"}) {
            words.push_back(word);
        }
        return words;
    }
    void start(unsigned node, const std::vector<std::string>& members) {
        cluster_.start(node);
        ASSERT_TRUE(cluster_.wait_members(node, members)) << cluster_.alert_log(node);
    }

    LoopbackCluster cluster_{2, 1};
};

TEST_F(Examples, CssRunRunsItsCommandOnlyWhileTheNodeIsActive) {
    cluster_.format();
    Child runner{css_run(), Place{}};
    std::this_thread::sleep_for(milliseconds{300});
    EXPECT_TRUE(started().empty());  // No daemon: nothing may run.
    start(1, {"n1"});
    ASSERT_TRUE(wait_until([&] { return started().size() == 1; }));
    EXPECT_TRUE(wait_until([&] { return program_of(started().at(0)) == "sleep"; }));

    // The daemon dies while it may act: its guardians kill the command.
    cluster_.daemon(1).kill();
    EXPECT_TRUE(wait_until([&] { return program_of(started().at(0)).empty(); }));
    EXPECT_TRUE(runner.running());
    start(1, {"n1"});
    ASSERT_TRUE(wait_until([&] { return started().size() == 2; }));

    runner.signal(SIGTERM);
    ASSERT_TRUE(runner.wait(kPatience));
    EXPECT_EQ(runner.status(), 128 + SIGTERM);
    EXPECT_TRUE(program_of(started().at(1)).empty());
}

TEST_F(Examples, CssRunEndsWithItsCommand) {
    cluster_.format();
    start(1, {"n1"});
    const auto run_it = [&](const Words& command) {
        Words words{CSS_RUN, "--run-dir", cluster_.run_dir(1), "--"};
        words.insert(words.end(), command.begin(), command.end());
        return run(words).status;
    };
    EXPECT_EQ(run_it({"sh", "-c", "exit 7"}), 7);
    EXPECT_EQ(run_it({"true"}), 0);
    EXPECT_EQ(run_it({"/nonexistent"}), 127);
    EXPECT_EQ(run({CSS_RUN}).status, 2);
    EXPECT_EQ(run({CSS_RUN, "--"}).status, 2);
}

/// One of two nodes holds, the other takes over when the first one's daemon, and so the program,
/// has died.
TEST_F(Examples, CssHoldHasOneHolderAndTheNextOneTakesOver) {
    cluster_.format();
    cluster_.start(1);
    start(2, {"n1", "n2"});
    ASSERT_TRUE(cluster_.wait_members(1, {"n1", "n2"}));
    const std::string resource = path("resource");
    const auto hold = [&](unsigned node) {
        return Child{Words{CSS_HOLD, "--run-dir", cluster_.run_dir(node), resource},
                     Place{.output = path("hold" + std::to_string(node))}};
    };
    Child first = hold(1);
    ASSERT_TRUE(wait_until([&] { return contents(path("hold1")).find("holds") < 200; }));
    Child second = hold(2);
    ASSERT_TRUE(wait_until([&] { return contents(path("hold2")).find("member") < 200; }));
    const auto held_by = [&](const Child& child) {
        return contents(resource).find(":" + std::to_string(child.pid()) + " ") !=
               std::string::npos;
    };
    const auto token = [&] {
        const std::string text = contents(resource);
        return std::stoull(text.substr(text.find("token ") + 6));
    };
    ASSERT_TRUE(wait_until([&] { return held_by(first); }));
    const auto before = token();
    EXPECT_EQ(contents(path("hold2")).find("holds"), std::string::npos);

    cluster_.crash(1);
    first.kill();  // With the machine.
    ASSERT_TRUE(wait_until([&] { return held_by(second); }));
    EXPECT_GT(token(), before);
    second.signal(SIGTERM);
    ASSERT_TRUE(second.wait(kPatience));
    EXPECT_EQ(second.status(), 0);
}

}  // namespace
}  // namespace css::e2e
