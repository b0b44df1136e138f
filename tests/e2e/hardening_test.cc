#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>

#include <linux/capability.h>
#include <sys/stat.h>

#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

using Fields = std::map<std::string, std::string>;

/// Of a `status` file in /proc.
Fields status_in(const std::filesystem::path& folder) {
    Fields fields;
    std::ifstream file{folder / "status"};
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(":\t");
        if (colon != std::string::npos) {
            fields[line.substr(0, colon)] = line.substr(colon + 2);
        }
    }
    return fields;
}

std::uint64_t mask(const Fields& fields, const std::string& name) {
    return std::stoull(fields.at(name), nullptr, 16);
}

/// What this test, and so a daemon that it starts, has.
std::uint64_t all() {
    return mask(status_in("/proc/self"), "CapEff");
}

/// What the daemon keeps of it, written down a second time.
std::uint64_t kept() {
    std::uint64_t bits = 0;
    for (const int one : {CAP_CHOWN,
                          CAP_DAC_OVERRIDE,
                          CAP_FOWNER,
                          CAP_KILL,
                          CAP_IPC_LOCK,
                          CAP_SYS_BOOT,
                          CAP_SYS_NICE}) {
        bits |= std::uint64_t{1} << one;
    }
    return bits & all();
}

class Hardening : public ClusterTest {
protected:
    void SetUp() override {
#ifdef CSS_SANITIZED
        GTEST_SKIP() << "a build with sanitizers gives nothing up";
#endif
        ClusterTest::SetUp();
    }
    /// The threads of the node's daemon that have given up less than they should, by name.
    Words whole_threads(unsigned node) {
        Words names;
        for (const auto& thread : threads_of(lab_->daemon(node).pid())) {
            const Fields now = status_in(thread);
            if (now.empty()) {
                continue;  // Has ended.
            }
            const bool gave_up = mask(now, "CapEff") == kept() && mask(now, "CapPrm") == kept() &&
                                 mask(now, "CapBnd") == kept() && mask(now, "CapInh") == 0 &&
                                 mask(now, "CapAmb") == 0 && now.at("NoNewPrivs") == "1" &&
                                 now.at("Seccomp") == "2";
            if (!gave_up) {
                names.push_back(now.at("Name"));
            }
        }
        return names;
    }
    void expect_whole(const Fields& now, const std::string& who) {
        EXPECT_EQ(mask(now, "CapEff"), all()) << who;
        EXPECT_EQ(mask(now, "CapBnd"), mask(status_in("/proc/self"), "CapBnd")) << who;
        EXPECT_EQ(now.at("NoNewPrivs"), "0") << who;
        EXPECT_EQ(now.at("Seccomp"), "0") << who;
    }
    /// Both guardians reset hosts and run commands of operators: they keep what they have.
    void expect_whole_guardians(unsigned node) {
        unsigned guardians = 0;
        for (const pid_t pid : lab_->processes(node)) {
            const std::string name = program_of(pid);
            if (name == "cssdagent" || name == "cssdmonitor") {
                ++guardians;
                expect_whole(status_in("/proc/" + std::to_string(pid)), name);
            }
        }
        EXPECT_EQ(guardians, 2U);
    }
};

TEST_F(Hardening, EveryThreadGivesUpWhatItDoesNotNeed) {
    Lab& lab = form({.nodes = 2});
    EXPECT_EQ(whole_threads(1), Words{});
    expect_whole_guardians(1);
    EXPECT_NE(lab.trace(1).find("clssscSandbox: keeps of all capabilities: chown, dac_override, "),
              std::string::npos);
}

/// A guardian's thread that begins with the guardians, files that come later, a new daemon for old
/// guardians: all the same.
TEST_F(Hardening, SoDoThreadsOfLaterLives) {
    Lab& lab = form({.nodes = 2,
                     .fence_action = "kill-clients",
                     .more_configuration = "autorejoin_interval = 60\n"});
    const Nanos evicted = boottime_now();
    EXPECT_TRUE(lab.crsctl(1, {"evict", "css", "node", "node2"}).ok());
    EXPECT_TRUE(lab.wait_complete({1, 2}, evicted));
    EXPECT_EQ(whole_threads(2), Words{});
    const Nanos killed = boottime_now();
    lab.daemon(2).kill();
    ASSERT_TRUE(lab.start(2));
    EXPECT_TRUE(lab.wait_complete({1, 2}, killed));
    EXPECT_EQ(whole_threads(2), Words{});
    expect_whole_guardians(2);
}

/// Operators' scripts may need anything.
TEST_F(Hardening, AFenceCommandKeepsEverything) {
    const std::string said = "/dev/shm/css-fence-said." + std::to_string(::getpid());
    Lab& lab = form(dark_node("cp /proc/self/status " + said + "; :"));
    EXPECT_EQ(whole_threads(1), Words{"fencecmd"});
    Nanos cut = 0;
    ASSERT_NO_FATAL_FAILURE(power_returns_without_node3(cut));
    ASSERT_EQ(::rename(said.c_str(), (lab.directory() + "/status").c_str()), 0);
    expect_whole(status_in(lab.directory()), "the fence command");
}

TEST_F(Hardening, OffKeepsEverything) {
    Lab& lab = form({.nodes = 1, .more_configuration = "sandbox = off\n"});
    for (const auto& thread : threads_of(lab.daemon(1).pid())) {
        expect_whole(status_in(thread), thread.string());
    }
    EXPECT_NE(lab.trace(1).find("clssscSandbox: keeps everything"), std::string::npos);
}

/// As in a container: nothing to give up, and nothing to take priority or lock memory with.
TEST_F(Hardening, WithoutAnyCapabilityTheNodeServesAllTheSame) {
    Lab& lab = form({.nodes = 2, .start_with = {"setpriv", "--bounding-set=-all"}});
    const Fields now = status_in("/proc/" + std::to_string(lab.daemon(1).pid()));
    EXPECT_EQ(mask(now, "CapEff"), 0U);
    EXPECT_EQ(now.at("NoNewPrivs"), "1");
    EXPECT_EQ(now.at("Seccomp"), "2");
    EXPECT_NE(lab.trace(1).find("clssscSandbox: keeps of all capabilities: none"),
              std::string::npos);
    EXPECT_TRUE(lab.crsctl(2, {"stop", "css"}).ok());
    EXPECT_TRUE(lab.wait_silent(2));
}

}  // namespace
}  // namespace css::e2e
