#include "cssd/runtime/fence_commands.h"

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "cssd/runtime/clock.h"
#include "tests/control/temporary_directory.h"

namespace css::runtime {
namespace {

using std::chrono::milliseconds;

constexpr Duration kPatience = std::chrono::seconds{30};

Instance victim(unsigned node, std::uint32_t unique = 77) {
    return Instance{NodeNumber{node}, Unique{unique}};
}

/// Real commands, and a log to look at.
class FenceCommandsTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto log = Log::open({.directory = directory_.path()});
        ASSERT_TRUE(log.has_value());
        log_ = std::move(*log);
    }
    void start(const std::string& command, Duration patience = kPatience, unsigned tries = 2) {
        commands_ = std::make_unique<FenceCommands>(
            FenceCommands::Options{.command = command,
                                   .patience = patience,
                                   .tries = tries,
                                   .pause = milliseconds{50}},
            FenceCommands::Calls{
                .name_of = [](NodeNumber n) { return "node" + std::to_string(n.value()); },
                .is_pending =
                    [this](Instance) {
                        const std::lock_guard lock{mutex_};
                        ++asked_;
                        return pending_;
                    },
                .confirmed =
                    [this](Instance i) {
                        const std::lock_guard lock{mutex_};
                        confirmed_.push_back(i);
                    }},
            *log_);
        ASSERT_TRUE(commands_->start().has_value());
    }
    template <class Holds>
    bool wait(Holds&& holds, Duration patience = kPatience) {
        const Instant limit = boot_now() + patience;
        for (;;) {
            {
                const std::lock_guard lock{mutex_};
                if (holds()) {
                    return true;
                }
            }
            if (boot_now() >= limit) {
                return false;
            }
            std::this_thread::sleep_for(milliseconds{5});
        }
    }
    std::string file(const std::string& name) const {
        std::ifstream in{directory_.path() + "/" + name};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    bool shows(const std::string& name, const std::string& text) {
        return wait([&] { return file(name).find(text) != std::string::npos; });
    }

    TemporaryDirectory directory_;
    std::unique_ptr<Log> log_;
    std::mutex mutex_;
    bool pending_ = true;
    int asked_ = 0;
    std::vector<Instance> confirmed_;
    std::unique_ptr<FenceCommands> commands_;  ///< Ends first.
};

TEST_F(FenceCommandsTest, E4_ExitCode0ConfirmsAndNothingElse) {
    const std::string seen = directory_.path() + "/seen";
    start("echo \"$CSS_UNIQUE\" \"$@\" >> " + seen + "; echo powering off; echo warning >&2; :");
    commands_->fence(victim(3));
    ASSERT_TRUE(wait([this] { return confirmed_.size() == 1; }));
    EXPECT_EQ(confirmed_[0], victim(3));
    EXPECT_EQ(file("seen"), "77 off node3 3\n");
    EXPECT_TRUE(shows("cssd.trc", "fence_command for node node3: powering off"));
    EXPECT_TRUE(shows("cssd.trc", "fence_command for node node3: warning"));
}

TEST_F(FenceCommandsTest, E4_AFailureIsTriedAgainAndNeverConfirms) {
    start("exit 4 #");
    commands_->fence(victim(2));
    EXPECT_TRUE(shows("alert.log",
                      "fence_command off node2 2 ended with exit code 4; it does not confirm that "
                      "the node is off, it is tried again"));
    EXPECT_TRUE(shows("alert.log", "that the node is off; its output"));
    EXPECT_FALSE(wait([this] { return !confirmed_.empty() || asked_ > 2; }, milliseconds{300}));
}

TEST_F(FenceCommandsTest, E4_OneThatHangsIsKilledAndDoesNotConfirm) {
    const std::string pid_file = directory_.path() + "/pid";
    start("echo $$ > " + pid_file + "; sleep 1000; :", milliseconds{300}, 1);
    commands_->fence(victim(2));
    EXPECT_TRUE(shows("alert.log", "did not end in time and was killed"));
    EXPECT_TRUE(wait([this] { return ::kill(std::stoi(file("pid")), 0) != 0; }));
    EXPECT_TRUE(confirmed_.empty());
}

TEST_F(FenceCommandsTest, E4_NoTryOnceItIsConfirmedOtherwiseOrAnotherInstanceIsThere) {
    pending_ = false;
    start("touch " + directory_.path() + "/ran #");
    commands_->fence(victim(2));
    EXPECT_TRUE(wait([this] { return asked_ == 1; }));
    EXPECT_FALSE(wait([this] { return !file("ran").empty() || asked_ > 1; }, milliseconds{200}));
    EXPECT_FALSE(std::ifstream{directory_.path() + "/ran"}.is_open());
}

/// A dead management network must not hold up the other victims.
TEST_F(FenceCommandsTest, SeveralAtOnce) {
    start("test \"$3\" = 2 && sleep 1000; : ");
    for (unsigned node = 2; node <= 9; ++node) {
        commands_->fence(victim(node));
    }
    EXPECT_TRUE(wait([this] { return confirmed_.size() == 7; }));
}

TEST_F(FenceCommandsTest, WithoutACommandNothingHappens) {
    start("");
    commands_->fence(victim(2));
    EXPECT_FALSE(wait([this] { return asked_ > 0; }, milliseconds{100}));
}

}  // namespace
}  // namespace css::runtime
