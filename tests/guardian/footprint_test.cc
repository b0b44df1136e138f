#include <fstream>

#include <gtest/gtest.h>

#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

constexpr const char* kNames[] = {"cssdagent", "cssdmonitor"};  // NOLINT(modernize-avoid-c-arrays)

/// Of /proc/PID/status.
long kilobytes(pid_t pid, const std::string& field) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(file, line);) {
        if (line.rfind(field + ":", 0) == 0) {
            return std::stol(line.substr(field.size() + 1));
        }
    }
    return -1;
}

/// CPU time used, in ns.
long long cpu_time(pid_t pid) {
    long long used = -1;
    std::ifstream{"/proc/" + std::to_string(pid) + "/schedstat"} >> used;
    return used;
}

/// Issue 2: guardians together at most 8 MiB resident and 0.05 % of a core, at one update a second.
TEST(GuardianFootprint, MemoryAndProcessorTime) {
    RunDir dir;
    Daemon daemon = dir.start();
    ASSERT_FALSE(daemon.hear("ready").empty());
    constexpr int kUpdates = 500;
    ASSERT_TRUE(daemon.hold(1, now() + std::chrono::hours{1}, "a"));
    long resident = 0;
    long locked = 0;
    long long before = 0;
    long long after = 0;
    for (const char* name : kNames) {
        before += cpu_time(dir.guardian(name));
    }
    for (int i = 2; i < kUpdates + 2; ++i) {
        ASSERT_TRUE(daemon.hold(static_cast<std::uint64_t>(i), now() + std::chrono::hours{1}, "a"));
    }
    for (const char* name : kNames) {
        after += cpu_time(dir.guardian(name));
        resident += kilobytes(dir.guardian(name), "VmRSS");
        locked += kilobytes(dir.guardian(name), "VmLck");
    }
    const double share = static_cast<double>(after - before) / kUpdates / 1e9;
    std::printf("both guardians: resident %ld KiB, locked %ld KiB; %.4f %% of a core at 1 Hz\n",
                resident,
                locked,
                share * 100);
#ifndef CSS_SANITIZED
    EXPECT_LE(resident, 8 * 1024);
    EXPECT_LE(share, 0.0005);
#endif
}

}  // namespace
}  // namespace css::testing
