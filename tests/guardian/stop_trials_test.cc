/// A daemon that is stopped at any moment: its client acts until the lease end and never after it.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

/// Times of the lines that the client wrote: it appends one whenever it may act.
std::vector<std::int64_t> lines_of(const std::string& path) {
    std::vector<std::int64_t> times;
    std::ifstream file{path};
    std::int64_t time = 0;
    for (std::string rest; file >> time && std::getline(file, rest);) {
        times.push_back(time);
    }
    return times;
}

struct Trial {
    Duration late{};  ///< The client's end after the lease end.
    std::size_t lines = 0;
    std::size_t lines_after = 0;
};

/// One that is scheduled like anybody else might be halted between asking and writing for longer
/// than the guardians need; what is tested is the lease, so the client comes first.
Process start_client(const RunDir& dir, const std::string& log) {
    return Process::run({"/usr/bin/chrt",
                         "--fifo",
                         "10",
                         CSS_TEST_CLIENT,
                         "--run-dir",
                         dir.path(),
                         "--node",
                         "1",
                         "--out",
                         log,
                         "--period-us",
                         "500"});
}

void run_trial(std::mt19937& random, Trial& trial) {
    const auto between = [&random](int least, int most) {
        return milliseconds{std::uniform_int_distribution<int>{least, most}(random)};
    };
    const RunDir dir;
    Daemon daemon = dir.start({.more = {"action=kill-clients"}});
    ASSERT_FALSE(daemon.hear("ready").empty());
    daemon.tell("reboottime 3000");
    const std::string log = dir.path() + "/client.log";
    Process client = start_client(dir, log);
    ASSERT_FALSE(daemon.hear("client ").empty());
    Instant end = now() + milliseconds{400};
    std::uint64_t serial = 1;
    ASSERT_TRUE(daemon.hold(serial, end, "am"));
    for (auto renewals = between(0, 4).count(); renewals > 0; --renewals) {
        std::this_thread::sleep_for(between(0, 40));
        end = std::max(end, now() + between(20, 300));
        ASSERT_TRUE(daemon.hold(++serial, end, "am"));
    }
    std::this_thread::sleep_for(between(0, 30));
    daemon.signal(SIGSTOP);
    const Instant ended = client.end_time();
    ASSERT_GE(ended, end);
    client.wait();
    trial.late = ended - end;
    const auto lines = lines_of(log);
    trial.lines = lines.size();
    trial.lines_after = static_cast<std::size_t>(
        std::ranges::count_if(lines, [end](std::int64_t time) { return time >= ns(end); }));
}

TEST(StopTrials, S4_NoLineAfterTheEndInTwoHundredRandomTrials) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, for the client's priority";
    }
    constexpr int kTrials = 200;
    const unsigned seed = std::random_device{}();
    std::mt19937 random{seed};
    std::vector<double> late;
    std::size_t lines = 0;
    for (int i = 0; i < kTrials; ++i) {
        Trial trial;
        ASSERT_NO_FATAL_FAILURE(run_trial(random, trial)) << "seed " << seed << ", trial " << i;
        EXPECT_EQ(trial.lines_after, 0U) << "seed " << seed << ", trial " << i;
        lines += trial.lines;
        late.push_back(std::chrono::duration<double, std::milli>{trial.late}.count());
    }
    std::ranges::sort(late);
    std::printf(
        "%d trials, %zu lines, none after the end; client gone after it: median %.2f ms, "
        "most %.2f ms\n",
        kTrials,
        lines,
        late.at(kTrials / 2),
        late.back());
    EXPECT_GT(lines, kTrials * 20U);  // It acted at all.
}

}  // namespace
}  // namespace css::testing
