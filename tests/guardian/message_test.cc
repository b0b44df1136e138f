#include "kill_block/guardian/message.h"

#include <gtest/gtest.h>

namespace css::guardian {
namespace {

Message full() {
    return Message{.kind = Kind::kLease,
                   .flags = kFlagArmed | kFlagAnswer,
                   .instance = Instance{NodeNumber{64}, Unique{0xDEADBEEF}},
                   .count = 4096,
                   .serial = 0x0102030405060708,
                   .time = -5,
                   .client = 0x1122334455667788,
                   .reason = 7,
                   .by = NodeNumber{3},
                   .reboottime_ms = 0x01020304};
}

TEST(GuardianMessage, RoundTrip) {
    for (const unsigned kind :
         {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 11U, 16U, 17U, 18U, 19U, 20U, 21U, 22U}) {
        Message message = full();
        message.kind = static_cast<Kind>(kind);
        const auto back = decode(encode(message));
        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(*back, message);
    }
}

TEST(GuardianMessage, LayoutIsFixed) {
    const MessageBytes bytes = encode(full());
    EXPECT_EQ(bytes[0], std::byte{'C'});
    EXPECT_EQ(bytes[3], std::byte{'G'});
    EXPECT_EQ(bytes[6], std::byte{2});      // kind
    EXPECT_EQ(bytes[12], std::byte{64});    // node
    EXPECT_EQ(bytes[16], std::byte{0xEF});  // unique, lowest byte first
    EXPECT_EQ(bytes[24], std::byte{8});     // serial
    EXPECT_EQ(bytes[32], std::byte{0xFB});  // time
    EXPECT_EQ(bytes[49], std::byte{3});     // by
    EXPECT_EQ(bytes[52], std::byte{4});     // reboottime
}

/// Each byte flipped whole: either refused, or read as another message; never as the same one.
TEST(GuardianMessage, EveryByteCounts) {
    const MessageBytes good = encode(full());
    for (std::size_t i = 0; i < good.size(); ++i) {
        MessageBytes bad = good;
        bad[i] ^= std::byte{0xFF};
        const auto read = decode(bad);
        EXPECT_TRUE(!read.has_value() || *read != full()) << i;
        const bool must_refuse = i < 8 || (i >= 10 && i < 12) || i == 50 || i == 51 || i >= 56;
        EXPECT_TRUE(!must_refuse || !read.has_value()) << i;
    }
}

TEST(GuardianMessage, RefusesOtherSizes) {
    const MessageBytes good = encode(full());
    std::array<std::byte, kMessageSize + 1> longer{};
    std::copy(good.begin(), good.end(), longer.begin());
    EXPECT_FALSE(decode(longer).has_value());
    EXPECT_FALSE(decode(std::span{good}.first(kMessageSize - 1)).has_value());
    EXPECT_FALSE(decode({}).has_value());
}

}  // namespace
}  // namespace css::guardian
