#include "cssd/runtime/last_gasps.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "kill_block/guardian/last_gasp.h"
#include "tests/control/temporary_directory.h"

namespace css::runtime {
namespace {

/// As a guardian writes it.
std::string gasp(const std::string& text) {
    std::string line =
        "wall=1795000000.250 boottime_ns=5000000000 guardian=cssdagent node=3 unique=9 text=\"" +
        text +
        "\" lease_end_ns=4000000000 begun_after_end_ms=0.412 took_ms=12.500 silent_ms=27000.100 "
        "reboottime_ms=3000 stop_reason=1 by=0 action=kill-clients";
    line.resize(guardian::kLastGaspSize, ' ');
    line.back() = '\n';
    return line;
}

class LastGaspsTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto log = Log::open({.directory = directory_.path()});
        ASSERT_TRUE(log.has_value());
        log_ = std::move(*log);
    }
    void write(const std::string& text) {
        std::ofstream{directory_.path() + "/cssdagent.lastgasp"} << text;
    }
    std::string alerts() {
        log_.reset();  // Writes what is queued.
        std::ifstream in{directory_.path() + "/alert.log"};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    TemporaryDirectory directory_;
    std::unique_ptr<Log> log_;
    Story story_;
};

TEST_F(LastGaspsTest, ReasonLimitsAndHowLongAgoAreInTheHistory) {
    write(gasp("lease end passed: clients killed"));
    LastGasps{directory_.path(), story_, *log_}.tell("node3");
    ASSERT_EQ(story_.events().size(), 1U);
    const Event event = story_.events()[0];
    EXPECT_EQ(event.type, "fenced");
    EXPECT_EQ(event.node, "node3");
    EXPECT_EQ(
        event.reason,
        "cssdagent: lease end passed: clients killed (its lease has ended); fence action "
        "kill-clients, begun 0 ms after the lease end, took 13 ms of reboottime 3000 ms; cssd "
        "was last heard 27000 ms before");
    EXPECT_EQ(rfc3339(event.when.wall), "2026-11-18T11:06:40.250Z");
    const std::string log = alerts();
    EXPECT_NE(log.find("CRS-8011: reboot advisory message from host: node3, component: cssdagent"),
              std::string::npos);
    EXPECT_NE(log.find("CRS-8013: reboot advisory message text: cssdagent: lease end passed"),
              std::string::npos);
}

TEST_F(LastGaspsTest, InTheAlertLogOnceInTheHistoryOfEachDaemon) {
    write(gasp("lease end passed: resetting this host"));
    LastGasps first{directory_.path(), story_, *log_};
    first.tell("node3");
    first.tell("node3");  // Nothing new.
    LastGasps{directory_.path(), story_, *log_}.tell("node3");
    EXPECT_EQ(story_.events().size(), 2U);
    const std::string log = alerts();
    const auto once = log.find("CRS-8013");
    EXPECT_NE(once, std::string::npos);
    EXPECT_EQ(log.find("CRS-8013", once + 1), std::string::npos);
}

TEST_F(LastGaspsTest, BlankMissingAndGarbledFilesSayNothing) {
    LastGasps gasps{directory_.path(), story_, *log_};
    gasps.tell("node3");
    write(std::string(guardian::kLastGaspSize, ' '));
    gasps.tell("node3");
    write("text=\"");
    gasps.tell("node3");
    EXPECT_EQ(story_.events().size(), 0U);
}

}  // namespace
}  // namespace css::runtime
