#include "cssd/config/parameters.h"

#include <array>
#include <span>

#include <gtest/gtest.h>

#include "cssd/config/duration.h"

namespace css::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Parameters of(milliseconds misscount, milliseconds disktimeout, milliseconds reboottime) {
    return {.misscount = misscount, .disktimeout = disktimeout, .reboottime = reboottime};
}

TEST(Parameters, DefaultsAndTheSmallestAreValid) {
    EXPECT_TRUE(validate(Parameters{}));
    EXPECT_TRUE(validate(of(seconds{1}, seconds{3}, milliseconds{200})));
    EXPECT_TRUE(validate(of(milliseconds{500}, milliseconds{501}, milliseconds{100})));
    EXPECT_TRUE(validate(of(seconds{86'399}, seconds{86'400}, seconds{2})));
}

struct Broken {
    Parameters parameters;
    const char* rule;
};

TEST(Parameters, EachBrokenRuleIsNamed) {
    for (const auto& [p, rule] : std::array{
             Broken{of(milliseconds{499}, seconds{3}, milliseconds{200}),
                    "misscount (499ms) must "
                    "be from 500ms"},
             Broken{of(seconds{30}, seconds{86'401}, seconds{3}),
                    "disktimeout (86401) must be from"},
             Broken{of(seconds{1}, seconds{3}, milliseconds{99}), "reboottime (99ms) must be from"},
             Broken{of(seconds{30}, seconds{200}, milliseconds{1'999}),
                    "at least two intervals (2)"},
             Broken{of(seconds{1}, seconds{3}, milliseconds{199}), "two intervals (200ms)"},
             Broken{of(seconds{30}, seconds{200}, seconds{30}),
                    "reboottime (30) must be less than misscount (30)"},
             Broken{of(seconds{30}, seconds{30}, seconds{3}),
                    "misscount (30) must be less than disktimeout (30)"}}) {
        const auto verdict = validate(p);
        ASSERT_FALSE(verdict) << rule;
        EXPECT_NE(verdict.error().message.find(rule), std::string::npos) << verdict.error().message;
    }
    const auto all = validate(of(milliseconds{0}, milliseconds{0}, milliseconds{0}));
    ASSERT_FALSE(all);
    for (const auto* name : {"misscount (0) must be from",
                             "disktimeout (0) must be from",
                             "reboottime (0) must be from"}) {
        EXPECT_NE(all.error().message.find(name), std::string::npos) << all.error().message;
    }
}

/// Every value within bounds_of is valid, and the two just outside are not.
TEST(Parameters, BoundsAreExact) {
    for (const Parameters& p : {Parameters{},
                                of(seconds{1}, seconds{3}, milliseconds{200}),
                                of(milliseconds{700}, milliseconds{900}, milliseconds{150}),
                                of(seconds{50}, seconds{200}, seconds{3}),
                                of(seconds{5}, seconds{60}, seconds{1})}) {
        ASSERT_TRUE(validate(p));
        for (const auto which :
             {Parameter::kMisscount, Parameter::kDisktimeout, Parameter::kReboottime}) {
            const Bounds bounds = bounds_of(p, which);
            ASSERT_LE(bounds.lowest, bounds.highest);
            for (const auto value : {bounds.lowest, bounds.highest}) {
                EXPECT_TRUE(validate(with_value(p, which, value))) << name_of(which);
                const auto changed = change_parameter(p, which, format_duration(value));
                ASSERT_TRUE(changed);
                EXPECT_EQ(value_of(*changed, which), value);
            }
            for (const auto value :
                 {bounds.lowest - milliseconds{1}, bounds.highest + milliseconds{1}}) {
                EXPECT_FALSE(validate(with_value(p, which, value))) << name_of(which);
                EXPECT_FALSE(change_parameter(p, which, format_duration(value)));
            }
        }
    }
}

struct Line {
    Parameters current;
    Parameter which;
    const char* text;
    const char* line;
};

void expect_lines(std::span<const Line> lines) {
    for (const auto& [current, which, text, line] : lines) {
        const auto changed = change_parameter(current, which, text);
        ASSERT_FALSE(changed) << text;
        EXPECT_EQ(changed.error().message, line);
    }
}

/// SOURCES 1.12 and its mirror images.
TEST(Sources, S1_12_ConflictsWordForWord) {
    const Parameters fifty = of(seconds{50}, seconds{200}, seconds{3});
    const Parameters small = of(seconds{1}, seconds{30}, milliseconds{200});
    const std::array lines{
        Line{fifty,
             Parameter::kDisktimeout,
             "50",
             "CRS-4696: Failed to set parameter disktimeout to 50 due to conflicting parameter "
             "misscount; the new value for disktimeout must be greater than 50."},
        Line{fifty,
             Parameter::kMisscount,
             "200",
             "CRS-4696: Failed to set parameter misscount to 200 due to conflicting parameter "
             "disktimeout; the new value for misscount must be less than 200."},
        Line{fifty,
             Parameter::kMisscount,
             "3",
             "CRS-4696: Failed to set parameter misscount to 3 due to conflicting parameter "
             "reboottime; the new value for misscount must be greater than 3."},
        Line{fifty,
             Parameter::kReboottime,
             "50",
             "CRS-4696: Failed to set parameter reboottime to 50 due to conflicting parameter "
             "misscount; the new value for reboottime must be less than 50."},
        Line{small,
             Parameter::kMisscount,
             "2",
             "CRS-4696: Failed to set parameter misscount to 2 due to conflicting parameter "
             "reboottime; the new value for misscount must not be greater than 1."}};
    expect_lines(lines);
    const auto accepted = change_parameter(fifty, Parameter::kDisktimeout, "51");
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->disktimeout, seconds{51});
}

/// SOURCES 1.13: never wrap, never mislead.
TEST(Sources, S1_13_OverflowsAreRefusedWithTheRange) {
    for (const auto* const text : {"10000000000000",
                                   "9000000000",
                                   "99999999999",
                                   "2200099999",
                                   "86401",
                                   "-1",
                                   "-0",
                                   "0",
                                   "abc",
                                   "",
                                   "1.5",
                                   "30.5",
                                   "4294967326",
                                   "18446744073709551646",
                                   "0x32",
                                   "1e9"}) {
        const auto changed = change_parameter(Parameters{}, Parameter::kDisktimeout, text);
        ASSERT_FALSE(changed) << text;
        EXPECT_EQ(changed.error().message,
                  "Invalid value " + std::string{text} +
                      " for parameter disktimeout: give a whole number of seconds from 31 to "
                      "86400.");
    }
    const std::array lines{
        Line{{},
             Parameter::kMisscount,
             "10000000000000",
             "Invalid value 10000000000000 for parameter misscount: give a whole number of seconds "
             "from 4 to 199."},
        Line{{},
             Parameter::kReboottime,
             "1",
             "Invalid value 1 for parameter reboottime: give a whole number of seconds from 2 to "
             "27."},
        Line{of(seconds{1}, seconds{3}, milliseconds{200}),
             Parameter::kReboottime,
             "90000",
             "Invalid value 90000 for parameter reboottime: give a time from 200ms to 799ms."},
        Line{{},
             Parameter::kMisscount,
             "1\x1b[2J",
             "Invalid value 1?[2J for parameter misscount: give a whole number of seconds from 4 "
             "to 199."}};
    expect_lines(lines);
}

TEST(Parameters, NamesGoBothWays) {
    for (const auto which :
         {Parameter::kMisscount, Parameter::kDisktimeout, Parameter::kReboottime}) {
        EXPECT_EQ(parameter_named(name_of(which)), which);
    }
    EXPECT_FALSE(parameter_named("priority"));
}

}  // namespace
}  // namespace css::config
