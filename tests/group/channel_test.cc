#include "cssd/group/channel.h"

#include <random>

#include <gtest/gtest.h>

namespace css::group {
namespace {

using std::chrono::milliseconds;

constexpr Instance kHere{NodeNumber{1}, Unique{10}};
constexpr Instance kThere{NodeNumber{2}, Unique{20}};
constexpr Incarnation kRecord{7};

Bytes message_of(std::size_t size, unsigned value) {
    return Bytes(size, static_cast<std::byte>(value));
}

class ChannelTest : public ::testing::Test {
protected:
    std::vector<Segment> sent(Channel& from) {
        std::vector<Segment> segments;
        from.transmit(now_, segments);
        return segments;
    }
    std::vector<Bytes> give(Channel& to, const std::vector<Segment>& segments) {
        std::vector<Bytes> messages;
        for (const Segment& segment : segments) {
            to.receive(now_, segment, messages);
        }
        return messages;
    }

    Instant now_{};
    Channel here_{kHere, kThere, kRecord};
    Channel there_{kThere, kHere, kRecord};
};

TEST_F(ChannelTest, NothingToSayNothingSent) {
    EXPECT_TRUE(sent(here_).empty());
    EXPECT_EQ(here_.wake_at(), kForever);
}

TEST_F(ChannelTest, AMessageGoesAtOnceAndIsAcknowledged) {
    here_.send(message_of(5, 1));
    const auto segments = sent(here_);
    ASSERT_EQ(segments.size(), 1U);
    EXPECT_EQ(segments[0].receiver, kThere);
    EXPECT_TRUE(segments[0].ends_message);
    EXPECT_EQ(give(there_, segments), std::vector<Bytes>{message_of(5, 1)});
    const auto back = sent(there_);
    ASSERT_EQ(back.size(), 1U);
    EXPECT_EQ(back[0].sequence, 0U);
    EXPECT_EQ(back[0].expected, 2U);
    EXPECT_TRUE(give(here_, back).empty());
    EXPECT_EQ(here_.wake_at(), kForever);
    EXPECT_TRUE(sent(here_).empty());  // An acknowledgement is not acknowledged.
}

TEST_F(ChannelTest, LargeMessagesAreCutAndPutTogether) {
    const Bytes large = message_of(3 * kSegmentPayloadMax + 1, 3);
    here_.send(large);
    here_.send(message_of(kSegmentPayloadMax, 4));
    const auto segments = sent(here_);
    EXPECT_EQ(segments.size(), 5U);
    EXPECT_EQ(give(there_, segments),
              (std::vector<Bytes>{large, message_of(kSegmentPayloadMax, 4)}));
}

TEST_F(ChannelTest, WhatComesTwiceOrTooEarlyCountsOnceAndInOrder) {
    here_.send(message_of(1, 1));
    here_.send(message_of(1, 2));
    here_.send(message_of(1, 3));
    const auto s = sent(here_);
    EXPECT_TRUE(give(there_, {s[2], s[1], s[2]}).empty());
    EXPECT_EQ(give(there_, {s[0], s[0], s[1]}),
              (std::vector<Bytes>{message_of(1, 1), message_of(1, 2), message_of(1, 3)}));
    EXPECT_TRUE(give(there_, {s[0], s[1], s[2]}).empty());
}

TEST_F(ChannelTest, TheWindowIsBounded) {
    for (unsigned i = 0; i < 3 * Channel::kWindow; ++i) {
        here_.send(message_of(1, i));
    }
    EXPECT_FALSE(here_.has_room());
    EXPECT_EQ(sent(here_).size(), Channel::kWindow);
    EXPECT_TRUE(sent(here_).empty());
}

TEST_F(ChannelTest, WhatIsNotAcknowledgedIsSentAgainMoreAndMoreSeldom) {
    here_.send(message_of(1, 1));
    EXPECT_EQ(sent(here_).size(), 1U);
    std::vector<Duration> waits;
    for (int i = 0; i < 7; ++i) {
        const Instant next = here_.wake_at();
        waits.push_back(next - now_);
        now_ = next - Duration{1};
        EXPECT_TRUE(sent(here_).empty());
        now_ = next;
        EXPECT_EQ(sent(here_).size(), 1U);
    }
    EXPECT_EQ(waits.front(), Channel::kPatienceMin);
    EXPECT_EQ(waits.back(), Channel::kPatienceMax);
    EXPECT_EQ(here_.repeated(), 7U);
}

/// The peer came into the record late: its first word brings everything again, at once.
TEST_F(ChannelTest, ThePeersFirstWordEndsTheWait) {
    here_.send(message_of(1, 1));
    for (int i = 0; i < 7; ++i) {
        static_cast<void>(sent(here_));
        now_ = here_.wake_at();
    }
    static_cast<void>(sent(here_));
    there_.send(message_of(1, 2));
    static_cast<void>(give(here_, sent(there_)));
    EXPECT_EQ(here_.wake_at(), now_);
    EXPECT_EQ(give(there_, sent(here_)), std::vector<Bytes>{message_of(1, 1)});
}

TEST_F(ChannelTest, NonsenseAcknowledgementsAreIgnored) {
    here_.send(message_of(1, 1));
    static_cast<void>(sent(here_));
    Segment nonsense;
    nonsense.sender = kThere;
    nonsense.receiver = kHere;
    nonsense.incarnation = kRecord;
    nonsense.expected = 9;  // Never sent.
    EXPECT_TRUE(give(here_, {nonsense}).empty());
    EXPECT_NE(here_.wake_at(), kForever);
}

/// Both ways at once, over a network that loses half of everything.
TEST(Channel, EverythingArrivesOnceAndInOrder) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::minstd_rand random{seed};
        Channel one{kHere, kThere, kRecord};
        Channel two{kThere, kHere, kRecord};
        std::multimap<Instant, std::pair<Channel*, Segment>> network;
        std::vector<Bytes> to_one;
        std::vector<Bytes> to_two;
        std::vector<Bytes> expected;
        Instant now{};
        constexpr unsigned kMessages = 200;
        for (unsigned i = 0; i < kMessages; ++i) {
            expected.push_back(message_of(1 + random() % 3000, i));
        }
        std::size_t given_one = 0;
        std::size_t given_two = 0;
        while (to_one.size() < kMessages || to_two.size() < kMessages) {
            ASSERT_LT(now, Instant{std::chrono::minutes{10}});
            while (given_one < kMessages && one.has_room()) {
                one.send(expected[given_one++]);
            }
            while (given_two < kMessages && two.has_room()) {
                two.send(expected[given_two++]);
            }
            for (Channel* from : {&one, &two}) {
                std::vector<Segment> segments;
                from->transmit(now, segments);
                for (const Segment& segment : segments) {
                    for (std::uint64_t copies = random() % 3; copies > 1; copies /= 2) {
                        network.emplace(now + milliseconds{1 + random() % 30},
                                        std::pair{from == &one ? &two : &one, segment});
                    }
                }
            }
            const Instant next = std::min(network.empty() ? kForever : network.begin()->first,
                                          std::min(one.wake_at(), two.wake_at()));
            now = std::max(now, next);
            while (!network.empty() && network.begin()->first <= now) {
                const auto [to, segment] = network.begin()->second;
                network.erase(network.begin());
                to->receive(now, segment, to == &one ? to_one : to_two);
            }
        }
        EXPECT_EQ(to_one, expected);
        EXPECT_EQ(to_two, expected);
    }
}

}  // namespace
}  // namespace css::group
