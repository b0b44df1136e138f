#include "netbeat/io/refusals.h"

#include <gtest/gtest.h>

namespace css::netbeat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Refusals, OneLineAtOnceThenOnePerPeriodAndKind) {
    Refusals refusals;
    const Instant start{seconds{1}};
    const auto kind = DatagramVerdict::kNotAuthentic;
    EXPECT_EQ(refusals.add(kind, start), 1U);
    for (int i = 1; i <= 999; ++i) {
        EXPECT_EQ(refusals.add(kind, start + i * milliseconds{10}), std::nullopt) << i;
    }
    // Another kind has its own turn.
    EXPECT_EQ(refusals.add(DatagramVerdict::kTooShort, start + seconds{9}), 1U);
    EXPECT_EQ(refusals.add(kind, start + kRefusalLogPeriod), 1000U);
    EXPECT_EQ(refusals.add(kind, start + kRefusalLogPeriod), std::nullopt);
    EXPECT_EQ(refusals.add(kind, start + 5 * kRefusalLogPeriod), 2U);
}

}  // namespace
}  // namespace css::netbeat
