#include "cssd/config/duration.h"

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace css::config {
namespace {

using std::chrono::milliseconds;

struct Good {
    const char* text;
    std::int64_t millis;
};

TEST(Duration, ReadsNumbersAndUnits) {
    for (const auto& [text, millis] :
         std::array{Good{"0", 0},
                    Good{"30", 30'000},
                    Good{"007", 7'000},
                    Good{"800ms", 800},
                    Good{"1s", 1'000},
                    Good{"5min", 300'000},
                    Good{"1.5s", 1'500},
                    Good{"0.5min", 30'000},
                    Good{"0.00005min", 3},
                    Good{"1.500s", 1'500},
                    Good{"2.000ms", 2},
                    Good{"0.001s", 1},
                    Good{"1.00000000000000000000s", 1'000},
                    Good{"9223372036854775807ms", std::numeric_limits<std::int64_t>::max()}}) {
        const auto parsed = parse_duration(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
        EXPECT_EQ(*parsed, milliseconds{millis}) << text;
    }
}

struct Bad {
    const char* text;
    const char* reason;
};

TEST(Duration, RefusesTheRestWithAReason) {
    for (const auto& [text, reason] : std::array{Bad{"", "write seconds"},
                                                 Bad{"-1", "negative"},
                                                 Bad{"+1", "sign"},
                                                 Bad{"1.5", "whole seconds"},
                                                 Bad{"1.5ms", "whole number of milliseconds"},
                                                 Bad{"0.0005s", "whole number of milliseconds"},
                                                 Bad{"0.000001min", "whole number of milliseconds"},
                                                 Bad{"1 s", "write seconds"},
                                                 Bad{" 1", "write seconds"},
                                                 Bad{"1.s", "write seconds"},
                                                 Bad{".5s", "write seconds"},
                                                 Bad{"1h", "write seconds"},
                                                 Bad{"1S", "write seconds"},
                                                 Bad{"0x10", "write seconds"},
                                                 Bad{"1e3", "write seconds"},
                                                 Bad{"ten", "write seconds"},
                                                 Bad{"ms", "write seconds"},
                                                 Bad{"1\n", "write seconds"},
                                                 Bad{"9223372036854775808ms", "too large"},
                                                 Bad{"18446744073709551616ms", "too large"},
                                                 Bad{"9223372036854776", "too large"},
                                                 Bad{"99999999999999999999999999", "too large"},
                                                 Bad{"307445734561826min", "too large"}}) {
        const auto parsed = parse_duration(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_NE(parsed.error().message.find(reason), std::string::npos)
            << text << ": " << parsed.error().message;
        EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
    }
}

TEST(Duration, ShowsWholeSecondsBareAndReadsThemBack) {
    EXPECT_EQ(format_duration(milliseconds{30'000}), "30");
    EXPECT_EQ(format_duration(milliseconds{800}), "800ms");
    EXPECT_EQ(format_duration(milliseconds{1'001}), "1001ms");
    for (const std::int64_t millis : {0, 1, 999, 1'000, 1'001, 86'400'000}) {
        const auto parsed = parse_duration(format_duration(milliseconds{millis}));
        ASSERT_TRUE(parsed);
        EXPECT_EQ(*parsed, milliseconds{millis});
    }
}

}  // namespace
}  // namespace css::config
