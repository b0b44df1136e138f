/// The watchdog device, played by a FUSE file that speaks its interface.

#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

using std::chrono::seconds;

constexpr Duration kHour = std::chrono::hours{1};

/// A mounted stand-in and what it said; ends with this object, and with the test.
class FakeWatchdog {
public:
    explicit FakeWatchdog(const RunDir& dir, const std::string& how = "")
        : mount_(dir.path() + "/dev") {
        EXPECT_EQ(::mkdir(mount_.c_str(), 0755), 0);
        const std::string log = dir.path() + "/watchdog.log";
        process_.emplace(
            Process::run({"/bin/sh",
                          "-c",
                          "exec " CSS_FAKE_WATCHDOG " " + mount_ + " 60 " + how + " > " + log}));
        if (!dir.shows("watchdog.log", "ready", seconds{5})) {
            missing_ = true;
        }
    }
    ~FakeWatchdog() {
        process_->signal(SIGTERM);
        if (!process_->ended_within(kPatience)) {
            static_cast<void>(::umount2(mount_.c_str(), MNT_DETACH));
        }
    }
    FakeWatchdog(const FakeWatchdog&) = delete;
    FakeWatchdog& operator=(const FakeWatchdog&) = delete;
    FakeWatchdog(FakeWatchdog&&) = delete;
    FakeWatchdog& operator=(FakeWatchdog&&) = delete;

    [[nodiscard]] bool is_missing() const { return missing_; }
    [[nodiscard]] std::string order() const { return "watchdog=" + mount_ + "/watchdog"; }

private:
    std::string mount_;
    bool missing_ = false;
    std::optional<Process> process_;
};

class Watchdog : public ::testing::Test {
protected:
    /// False: no FUSE here.
    bool make(const std::string& how = "",
              std::vector<std::string> orders = {"action=kill-clients"}) {
        fake_.emplace(dir_, how);
        if (fake_->is_missing()) {
            return false;
        }
        orders.push_back(fake_->order());
        daemon_.emplace(dir_.start({.more = std::move(orders)}));
        EXPECT_FALSE(daemon_->hear("ready").empty());
        daemon_->tell("reboottime 3000");
        return true;
    }
    /// What became of the device; the acknowledgement comes beside it.
    std::string arm(Daemon& daemon) {
        daemon.lease(1, now() + kHour, "a");
        return daemon.hear("watchdog ");
    }
    [[nodiscard]] bool says(const std::string& text, Duration patience = kPatience) const {
        return dir_.shows("watchdog.log", " " + text + "\n", patience);
    }
    [[nodiscard]] bool has_fired() const { return says("FIRED", Duration{0}); }

    RunDir dir_;
    std::optional<FakeWatchdog> fake_;
    std::optional<Daemon> daemon_;
};

#define CSS_NEEDS_FUSE(made)                              \
    if (!(made)) {                                        \
        GTEST_SKIP() << "needs FUSE and root for mounts"; \
    }

TEST_F(Watchdog, S8_ArmedAtTheFirstActiveWithATimeoutThatWasReadBack) {
    CSS_NEEDS_FUSE(make());
    ASSERT_TRUE(daemon_->hold(1, now() + kHour, "-"));
    EXPECT_FALSE(says("armed", milliseconds{300}));
    daemon_->lease(2, now() + kHour, "a");
    const std::string told = daemon_->hear("watchdog ");
    EXPECT_EQ(told.find("watchdog armed "), 0U);
    EXPECT_NE(told.find("time-out of 2 s"), std::string::npos);
    EXPECT_TRUE(says("timeout 2", Duration{0}));
}

TEST_F(Watchdog, S8_FedWhileTheLeaseLastsAndNoLonger) {
    CSS_NEEDS_FUSE(make("", {"action=kill-clients", "drain=sleep 1000; :"}));
    const Instant end = now() + seconds{3};
    ASSERT_TRUE(daemon_->hold(1, end, "a"));
    std::this_thread::sleep_for(end - now() - milliseconds{200});
    EXPECT_FALSE(has_fired());  // Longer than its time-out has passed.
    // From the end on there is a hook that does not end, so nobody vouches for this host: before
    // the hook is late, and the guardians would reset it themselves, nothing feeds the device.
    EXPECT_TRUE(says("FIRED", seconds{4}));
}

TEST_F(Watchdog, S8_FiresWhenGuardiansAndDaemonStandStill) {
    CSS_NEEDS_FUSE(make());
    ASSERT_EQ(arm(*daemon_).find("watchdog armed"), 0U);
    const Instant stopped = now();
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        kill(dir_.guardian(name), SIGSTOP);
    }
    daemon_->signal(SIGSTOP);
    EXPECT_TRUE(says("FIRED"));
    EXPECT_LE(now(), stopped + seconds{3});
}

TEST_F(Watchdog, S8_AKilledGuardianLeavesItRunning) {
    CSS_NEEDS_FUSE(make());
    ASSERT_EQ(arm(*daemon_).find("watchdog armed"), 0U);
    kill(dir_.guardian("cssdagent"), SIGKILL);
    EXPECT_TRUE(says("closed"));
    EXPECT_TRUE(says("FIRED"));
}

TEST_F(Watchdog, S8_FedAgainWhenNoClientIsLeftAndClosedWithItsMagicAtTheEnd) {
    CSS_NEEDS_FUSE(make());
    const Process client = Process::sleeper();
    ASSERT_TRUE(daemon_->enlist(1, client.pid()));
    ASSERT_TRUE(daemon_->hold(1, now() + milliseconds{300}, "a"));
    ASSERT_EQ(daemon_->hear("gone"), "gone");
    daemon_->signal(SIGKILL);
    std::this_thread::sleep_for(seconds{3});
    EXPECT_FALSE(has_fired());
    Daemon next = dir_.start();
    ASSERT_FALSE(next.hear("ready").empty());
    next.tell("shutdown");
    EXPECT_TRUE(says("disarmed"));
    EXPECT_FALSE(has_fired());
}

TEST_F(Watchdog, ADeviceThatIsMissingOrRefusesIsSaid) {
    Daemon none = dir_.start({.more = {"watchdog=" + dir_.path() + "/nothing"}});
    ASSERT_FALSE(none.hear("ready").empty());
    none.tell("reboottime 3000");
    EXPECT_NE(arm(none).find("cannot be opened: No such file"), std::string::npos);
}

TEST_F(Watchdog, S8_ATimeoutThatIsNotTakenIsNoWatchdog) {
    CSS_NEEDS_FUSE(make("stubborn"));
    EXPECT_NE(arm(*daemon_).find("it says 60 s"), std::string::npos);
    EXPECT_TRUE(says("disarmed"));
}

TEST_F(Watchdog, ADeviceThatCannotBeOpenedIsSaid) {
    CSS_NEEDS_FUSE(make("deaf"));
    EXPECT_NE(arm(*daemon_).find("Input/output error"), std::string::npos);
}

TEST_F(Watchdog, S2_AReboottimeWithoutRoomForItIsSaid) {
    CSS_NEEDS_FUSE(make());
    daemon_->tell("reboottime 1500");
    EXPECT_NE(arm(*daemon_).find("reboottime is too short"), std::string::npos);
}

/// PROTOCOL 7: a smaller reboottime is promised only when guardians, and so the device, keep to it.
TEST_F(Watchdog, AnotherReboottimeIsSetBeforeItIsAcknowledged) {
    CSS_NEEDS_FUSE(make());
    daemon_->tell("reboottime 10000");
    ASSERT_TRUE(daemon_->hold(1, now() + kHour, "a"));
    EXPECT_TRUE(says("timeout 8", Duration{0}));
    daemon_->tell("reboottime 3000");
    ASSERT_TRUE(daemon_->hold(2, now() + kHour, "a"));
    EXPECT_TRUE(says("timeout 2", Duration{0}));
}

}  // namespace
}  // namespace css::testing
