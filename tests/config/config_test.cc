#include "cssd/config/config.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace css::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ConfigTest : public testing::Test {
protected:
    ConfigTest() : directory_{std::filesystem::temp_directory_path() / "css_config_XXXXXX"} {
        std::string name = directory_.string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
        file_ = (directory_ / "cssd.conf").string();
    }
    ~ConfigTest() override { std::filesystem::remove_all(directory_); }
    ConfigTest(const ConfigTest&) = delete;
    ConfigTest& operator=(const ConfigTest&) = delete;
    ConfigTest(ConfigTest&&) = delete;
    ConfigTest& operator=(ConfigTest&&) = delete;

    void write(const std::string& text) const { std::ofstream{file_} << text; }
    [[nodiscard]] std::string contents() const {
        std::ostringstream text;
        text << std::ifstream{file_}.rdbuf();
        return text.str();
    }
    [[nodiscard]] std::variant<Start, Finish> load(std::vector<const char*> options) const {
        options.insert(options.begin(), {"cssd", "--config", file_.c_str()});
        return load_config(static_cast<int>(options.size()), options.data());
    }
    [[nodiscard]] Config good(const std::vector<const char*>& options = {}) const {
        const auto loaded = load(options);
        const auto* const start = std::get_if<Start>(&loaded);
        EXPECT_NE(start, nullptr) << std::get<Finish>(loaded).text;
        return start == nullptr ? Config{} : start->config;
    }
    [[nodiscard]] Finish bad(const std::vector<const char*>& options = {}) const {
        const auto loaded = load(options);
        const auto* const finish = std::get_if<Finish>(&loaded);
        EXPECT_NE(finish, nullptr);
        return finish == nullptr ? Finish{} : *finish;
    }

    std::filesystem::path directory_;
    std::string file_;
};

constexpr const char* kMinimal = "cluster_name = demo\nvoting_file = /v1\n";

TEST_F(ConfigTest, DefaultsAreInterfacesTable) {
    write(kMinimal);
    const Config c = good();
    EXPECT_EQ(c.cluster_name, "demo");
    EXPECT_EQ(c.nodes_file, "/etc/cssd/nodes");
    EXPECT_FALSE(c.node_number);
    EXPECT_EQ(c.voting_files, std::vector<std::string>{"/v1"});
    EXPECT_EQ(c.key_file, "/etc/cssd/cluster.key");
    EXPECT_EQ(c.run_dir, "/run/cssd");
    EXPECT_EQ(c.log_dir, "/var/log/cssd");
    EXPECT_EQ(c.fence_action, FenceAction::kReboot);
    EXPECT_EQ(c.watchdog_device, "");
    EXPECT_EQ(c.autorejoin_tries, 3U);
    EXPECT_EQ(c.autorejoin_interval, std::chrono::seconds{300});
    EXPECT_EQ(c.exit_action, ExitAction::kStayOut);
    EXPECT_EQ(c.start_mode, StartMode::kEnabled);
    EXPECT_EQ(c.weight, 1U);
    EXPECT_EQ(c.realtime_priority, 4U);
    EXPECT_EQ(c.log_level, LogLevel::kInfo);
    EXPECT_EQ(c.sandbox, Sandbox::kOn);
    EXPECT_EQ(c.metrics_address, "");
}

TEST_F(ConfigTest, ReadsEveryKey) {
    write(
        "# a comment\n\n  cluster_name = c-1_x.y   # tail\nnodes_file=/n\nnode_number = 64\n"
        "voting_file = /v1\nvoting_file = /v2\nvoting_file = /a/../v3\r\nkey_file = /k\n"
        "run_dir = /r\nlog_dir = /l\nfence_action = command\nfence_command = /bin/fence -x\n"
        "watchdog_device = /dev/watchdog\nautorejoin_tries = 0\nautorejoin_interval = 5min\n"
        "exit_action = reboot\nstart_mode = disabled\nweight = 7\nrealtime_priority = 0\n"
        "log_level = debug\nsandbox = strict\nmetrics_address = [::1]:9779\n");
    const Config c = good();
    EXPECT_EQ(c.cluster_name, "c-1_x.y");
    EXPECT_EQ(c.node_number, NodeNumber{64});
    EXPECT_EQ(c.voting_files, (std::vector<std::string>{"/v1", "/v2", "/v3"}));
    EXPECT_EQ(c.fence_action, FenceAction::kCommand);
    EXPECT_EQ(c.fence_command, "/bin/fence -x");
    EXPECT_EQ(c.watchdog_device, "/dev/watchdog");
    EXPECT_EQ(c.autorejoin_tries, 0U);
    EXPECT_EQ(c.autorejoin_interval, std::chrono::minutes{5});
    EXPECT_EQ(c.exit_action, ExitAction::kReboot);
    EXPECT_EQ(c.start_mode, StartMode::kDisabled);
    EXPECT_EQ(c.weight, 7U);
    EXPECT_EQ(c.realtime_priority, 0U);
    EXPECT_EQ(c.log_level, LogLevel::kDebug);
    EXPECT_EQ(c.sandbox, Sandbox::kStrict);
    EXPECT_EQ(c.metrics_address, "[::1]:9779");
}

TEST_F(ConfigTest, TheCommandLineWins) {
    write("cluster_name = demo\nvoting_file = /v1\nweight = 3\n");
    const Config c = good({"--weight",
                           "5",
                           "--voting-file=/a",
                           "--voting-file=/b",
                           "--voting-file=/c",
                           "--run-dir",
                           "/elsewhere"});
    EXPECT_EQ(c.weight, 5U);
    EXPECT_EQ(c.voting_files, (std::vector<std::string>{"/a", "/b", "/c"}));
    EXPECT_EQ(c.run_dir, "/elsewhere");
    EXPECT_EQ(c.cluster_name, "demo");
    const auto loaded = load({"--daemon"});
    EXPECT_EQ(std::get<Start>(loaded).mode, RunMode::kDaemon);
}

struct Wrong {
    const char* line;  ///< The third line of the file.
    const char* message;
};

TEST_F(ConfigTest, ErrorsNameFileLineKeyAndWhatWouldBeRight) {
    for (const auto& [line, message] :
         {Wrong{"colour = red", "colour: unknown key"},
          Wrong{"cluster_name", "'cluster_name' is wrong: write key = value"},
          Wrong{"= 3", "write key = value"},
          Wrong{"node_number = 65", "node_number: '65' is wrong: give a whole number from 1 to 64"},
          Wrong{"node_number = 4294967297", "give a whole number from 1 to 64"},
          Wrong{"weight = -1", "weight: '-1' is wrong: give a whole number from 1 to 1999"},
          Wrong{"weight = 5x", "weight: '5x' is wrong"},
          Wrong{"fence_action = rebot",
                "fence_action: 'rebot' is wrong: give reboot, kill-clients, command or exit"},
          Wrong{"exit_action = ", "give stay-out, exit or reboot"},
          Wrong{"start_mode = on", "give enabled or disabled"},
          Wrong{"autorejoin_interval = 0", "give a time from 1 to 86400 seconds"},
          Wrong{"realtime_priority = 100", "give a whole number from 0 to 99"},
          Wrong{"log_level = loud", "give trace, debug, info"},
          Wrong{"sandbox = yes", "sandbox: 'yes' is wrong: give on, strict or off"},
          Wrong{"metrics_address = localhost", "give address:port"},
          Wrong{"metrics_address = :0", "give address:port"},
          Wrong{"cluster_name = a", "cluster_name: give it once; line 1 has it already"},
          Wrong{"voting_file = /v1", "'/v1' is given twice"},
          Wrong{"key_file =", "key_file: '' is wrong: give a path"}}) {
        write(std::string{kMinimal} + line + "\n");
        const Finish finish = bad();
        EXPECT_EQ(finish.exit_code, 1) << line;
        EXPECT_THAT(finish.text, StartsWith("cssd: " + file_ + ":3: ")) << line;
        EXPECT_THAT(finish.text, HasSubstr(message)) << line;
        EXPECT_EQ(finish.text.find('\n'), finish.text.size() - 1) << finish.text;
    }
}

TEST_F(ConfigTest, WhatIsMissingIsNamed) {
    EXPECT_THAT(bad().text, HasSubstr(file_ + ": No such file or directory"));
    write("voting_file = /v1\n");
    EXPECT_THAT(bad().text, HasSubstr("cluster_name: missing"));
    write("cluster_name = demo\n");
    EXPECT_THAT(bad().text, HasSubstr("voting_file: missing; give an odd count, 1 to 15"));
    write("cluster_name = demo\nvoting_file = /a\nvoting_file = /b\n");
    EXPECT_THAT(bad().text, HasSubstr("voting_file: 2 given; give an odd count, 1 to 15"));
    std::string many = "cluster_name = demo\n";
    for (int i = 0; i < 17; ++i) {
        many += "voting_file = /v" + std::to_string(i) + "\n";
    }
    write(many);
    EXPECT_THAT(bad().text, HasSubstr("17 given"));
    write(std::string{kMinimal} + "fence_action = command\n");
    EXPECT_THAT(bad().text, HasSubstr("fence_command: missing"));
}

TEST_F(ConfigTest, UsageErrorsEndWithTwoAndOneLine) {
    write(kMinimal);
    for (const std::vector<const char*>& options :
         std::vector<std::vector<const char*>>{{"--colour"},
                                               {"--weight"},
                                               {"--weig", "3"},
                                               {"stray"},
                                               {"--weight", "0"},
                                               {"--weight=1", "--weight=2"}}) {
        const Finish finish = bad(options);
        EXPECT_EQ(finish.exit_code, 2) << options.front();
        EXPECT_EQ(finish.text.find('\n'), finish.text.size() - 1) << finish.text;
        EXPECT_THAT(finish.text, StartsWith("cssd: "));
    }
    EXPECT_EQ(bad({"--help"}).exit_code, 0);
    EXPECT_THAT(bad({"--help"}).text, HasSubstr("--voting-file"));
    EXPECT_EQ(bad({"--version"}).text, "cssd " CSS_VERSION "\n");
}

TEST_F(ConfigTest, SaveKeyKeepsEverythingElse) {
    write("# mine\ncluster_name = demo\n  start_mode = enabled # so far\nvoting_file = /v1\n");
    ASSERT_EQ(::chmod(file_.c_str(), 0640), 0);
    ASSERT_TRUE(save_key(file_, "start_mode", "disabled"));
    EXPECT_EQ(contents(),
              "# mine\ncluster_name = demo\nstart_mode = disabled\nvoting_file = /v1\n");
    ASSERT_TRUE(save_key(file_, "weight", "1001"));
    EXPECT_THAT(contents(), HasSubstr("voting_file = /v1\nweight = 1001\n"));
    EXPECT_EQ(good().start_mode, StartMode::kDisabled);
    EXPECT_EQ(good().weight, 1001U);
    struct stat about {};
    ASSERT_EQ(::stat(file_.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, 0640U);

    const std::string before = contents();
    EXPECT_FALSE(save_key(file_, "weight", "0"));
    EXPECT_FALSE(save_key(file_, "voting_file", "/x"));
    EXPECT_FALSE(save_key(file_, "colour", "red"));
    EXPECT_EQ(contents(), before);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory_}, {}), 1);
}

TEST(LogLevel, NumbersAndNames) {
    EXPECT_EQ(parse_log_level("2"), LogLevel::kInfo);
    EXPECT_EQ(parse_log_level("warn"), LogLevel::kWarning);
    EXPECT_EQ(parse_log_level("9"), LogLevel::kTrace);
    EXPECT_FALSE(parse_log_level("10"));
    EXPECT_FALSE(parse_log_level(""));
    for (unsigned number = 0; number <= 4; ++number) {
        const auto level = parse_log_level(std::to_string(number));
        ASSERT_TRUE(level);
        EXPECT_EQ(number_of(*level), number);
        EXPECT_EQ(parse_log_level(name_of(*level)), level);
    }
}

}  // namespace
}  // namespace css::config
