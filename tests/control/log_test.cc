#include "cssd/runtime/log.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/runtime/log_file.h"
#include "tests/control/temporary_directory.h"

namespace css::runtime {
namespace {

using config::LogLevel;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr const char* kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}";

std::string contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

class LogTest : public testing::Test {
protected:
    [[nodiscard]] std::unique_ptr<Log> open(LogOptions options = {}) const {
        options.directory = directory_.path() + "/log";
        auto log = Log::open(options);
        EXPECT_TRUE(log) << log.error().message;
        return log ? std::move(*log) : nullptr;
    }
    [[nodiscard]] std::string alert_text() const {
        return contents(directory_.path() + "/log/alert.log");
    }
    [[nodiscard]] std::string trace_text() const {
        return contents(directory_.path() + "/log/cssd.trc");
    }
    TemporaryDirectory directory_;
};

TEST_F(LogTest, Layouts) {
    auto log = open();
    std::thread{[&log] {
        ::pthread_setname_np(::pthread_self(), "polling");
        log->trace(LogLevel::kInfo, "link", "NHB two\nlines \x1b[0m");
        log->trace(LogLevel::kCritical, "f", "t");
        log->trace(LogLevel::kDebug, "link", "not at this level");
    }}.join();
    log->alert("CRS-1612: Network");
    log.reset();
    EXPECT_THAT(alert_text(),
                MatchesRegex(std::string{kTime} + " \\[CSSD\\(" + std::to_string(::getpid()) +
                             "\\)\\]CRS-1612: Network\n"));
    std::istringstream lines{trace_text()};
    std::string line;
    std::getline(lines, line);
    EXPECT_THAT(line,
                MatchesRegex(std::string{kTime} + " :    CSSD:polling: \\[     INFO\\] link: "
                                                  "NHB two lines  \\[0m"));
    std::getline(lines, line);
    EXPECT_THAT(line, HasSubstr(" :    CSSD:polling: [ CRITICAL] f: t"));
    std::getline(lines, line);
    EXPECT_THAT(line, HasSubstr(": [     INFO] alert: CRS-1612: Network"));
    EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(LogTest, LevelsChangeAtRunTime) {
    auto log = open();
    EXPECT_EQ(log->level(), LogLevel::kInfo);
    log->trace(LogLevel::kTrace, "f", "first");
    log->set_level(LogLevel::kTrace);
    EXPECT_TRUE(log->traces(LogLevel::kTrace));
    log->trace(LogLevel::kTrace, "f", "second");
    log->set_level(LogLevel::kOff);
    EXPECT_FALSE(log->traces(LogLevel::kCritical));
    log->trace(LogLevel::kCritical, "f", "third");
    log->alert("CRS-1603: always");
    log.reset();
    EXPECT_THAT(trace_text(), testing::Not(HasSubstr("first")));
    EXPECT_THAT(trace_text(), HasSubstr("[    TRACE] f: second"));
    EXPECT_THAT(trace_text(), testing::Not(HasSubstr("third")));
    EXPECT_THAT(alert_text(), HasSubstr("CRS-1603: always"));
}

TEST_F(LogTest, RotatesTheTraceAndKeepsSoMany) {
    auto log = open({.trace_size_max = 2000, .trace_files_max = 2, .queue_lines = 4096});
    for (int i = 0; i < 200; ++i) {
        log->trace(LogLevel::kInfo, "f", "line " + std::to_string(i));
    }
    log.reset();
    const std::string base = directory_.path() + "/log/cssd.trc";
    EXPECT_FALSE(std::filesystem::exists(base + ".3"));
    const std::string newest = contents(base + ".2") + contents(base + ".1") + contents(base);
    for (const auto& path : {base, base + ".1", base + ".2"}) {
        EXPECT_LE(std::filesystem::file_size(path), 2000U);
        EXPECT_GT(std::filesystem::file_size(path), 0U);
    }
    EXPECT_THAT(newest, HasSubstr("f: line 199\n"));
    EXPECT_LT(newest.find("line 198"), newest.find("line 199"));
}

/// A full disk costs the lines, neither time nor the process; when there is room again, so are
/// lines, each on a line of its own. A limit of the file's size stands for the full disk.
TEST_F(LogTest, SurvivesAFullDisk) {
    LogFile file{directory_.path() + "/full", {}};
    ASSERT_TRUE(file.open());
    EXPECT_TRUE(file.append("before\n"));
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit unlimited{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    rlimit small = unlimited;
    small.rlim_cur = 10;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_FALSE(file.append("lost line\n"));
    EXPECT_FALSE(file.append("lost\n"));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    EXPECT_TRUE(file.append("after\n"));
    EXPECT_EQ(contents(directory_.path() + "/full"), "before\nlos\nafter\n");
}

TEST_F(LogTest, ADirectoryThatGoesAwayIsMadeAgain) {
    auto log = open();
    log->alert("before");
    std::filesystem::remove_all(directory_.path() + "/log");
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (alert_text().find("after") == std::string::npos) {
        ASSERT_LT(std::chrono::steady_clock::now(), until);
        log->alert("after");
        std::this_thread::yield();
    }
}

TEST_F(LogTest, ADirectoryThatCannotBeMadeAgainOnlyCounts) {
    auto log = open();
    std::filesystem::remove_all(directory_.path() + "/log");
    std::ofstream{directory_.path() + "/log"} << "in the way";
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (log->failed() == 0) {
        ASSERT_LT(std::chrono::steady_clock::now(), until);
        log->alert("lost");
        std::this_thread::yield();
    }
}

/// The disk hangs (the trace is a pipe that nobody reads): callers go on, lines are dropped and
/// counted, and the end of the log does not wait for the disk.
TEST_F(LogTest, AHungDiskBlocksNobody) {
    const std::string path = directory_.path() + "/log";
    std::filesystem::create_directories(path);
    ASSERT_EQ(::mkfifo((path + "/cssd.trc").c_str(), 0600), 0);
    const int reader = ::open((path + "/cssd.trc").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(reader, 0);
    auto log = open({.queue_lines = 64});
    ASSERT_TRUE(log);
    // The log opens without waiting; from here on its writes wait, as those to a hung disk do.
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code ignored;
        const int fd = std::stoi(entry.path().filename().string());
        if (fd != reader && std::filesystem::read_symlink(entry, ignored) == path + "/cssd.trc") {
            ASSERT_EQ(::fcntl(fd, F_SETFL, O_WRONLY | O_APPEND), 0);
        }
    }
    const std::string text(4000, 'x');
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) {
        log->trace(LogLevel::kInfo, "f", text);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
    EXPECT_GT(log->dropped(), 500U);
    log.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{20});
    ::close(reader);  // Now its writes fail, and its thread comes free.
}

TEST_F(LogTest, TheThreadIsNamedAndItsStackSmall) {
    auto log = open();
    // The thread names itself when it first runs.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    bool found = false;
    while (!found && std::chrono::steady_clock::now() < deadline) {
        for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
            found = found || contents(task.path().string() + "/comm") == "log\n";
        }
    }
    EXPECT_TRUE(found);
    pthread_attr_t attributes;
    std::size_t size = 0;
    ASSERT_EQ(::pthread_getattr_default_np(&attributes), 0);
    ASSERT_EQ(::pthread_attr_getstacksize(&attributes, &size), 0);
    ::pthread_attr_destroy(&attributes);
    EXPECT_GT(size, 1U << 20) << "threads of others have their usual stacks";
}

TEST(Log, ADirectoryThatCannotBeMadeIsAnError) {
    const TemporaryDirectory directory;
    std::ofstream{directory.path() + "/file"} << "in the way";
    const auto log = Log::open({.directory = directory.path() + "/file/log"});
    ASSERT_FALSE(log);
    EXPECT_THAT(log.error().message, HasSubstr("alert.log"));
}

}  // namespace
}  // namespace css::runtime
