#include <random>

#include <gtest/gtest.h>

#include "cssd/group/message.h"
#include "cssd/group/segment.h"

namespace css::group {
namespace {

constexpr Instance kHere{NodeNumber{1}, Unique{0x01020304}};
constexpr Instance kThere{NodeNumber{64}, Unique{0x0A0B0C0D}};

Blob data_of(std::size_t size) {
    return blob(Bytes(size, std::byte{0x5A}));
}

std::string hex(const Bytes& bytes) {
    std::string text;
    for (const std::byte b : bytes) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text += kDigits[std::to_integer<unsigned>(b) >> 4];
        text += kDigits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

Segment sample() {
    Segment segment;
    segment.sender = kHere;
    segment.receiver = kThere;
    segment.incarnation = Incarnation{0x1122334455667788};
    segment.sequence = 5;
    segment.expected = 6;
    segment.ends_message = true;
    segment.payload = {std::byte{0xAA}, std::byte{0xBB}};
    return segment;
}

/// WIRE.md; these bytes may never change.
TEST(GroupSegment, GoldenBytes) {
    EXPECT_EQ(hex(encode(sample())),
              "01014000"
              "04030201"
              "0d0c0b0a"
              "8877665544332211"
              "0500000000000000"
              "0600000000000000"
              "aabb");
}

TEST(GroupSegment, ComesBackTheSame) {
    const auto back = decode_segment(kHere.node, encode(sample()));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->sender, kHere);
    EXPECT_EQ(back->receiver, kThere);
    EXPECT_EQ(back->incarnation, sample().incarnation);
    EXPECT_EQ(back->sequence, 5U);
    EXPECT_EQ(back->expected, 6U);
    EXPECT_TRUE(back->ends_message);
    EXPECT_EQ(back->payload, sample().payload);
}

TEST(GroupSegment, EveryRuleIsChecked) {
    const Bytes good = encode(sample());
    const auto with = [&good](std::size_t at, unsigned value) {
        Bytes bytes = good;
        bytes.at(at) = static_cast<std::byte>(value);
        return decode_segment(kHere.node, bytes).has_value();
    };
    EXPECT_TRUE(with(1, 0));
    EXPECT_FALSE(with(0, 2));   // Version.
    EXPECT_FALSE(with(1, 2));   // Flags.
    EXPECT_FALSE(with(2, 0));   // Receiver.
    EXPECT_FALSE(with(2, 65));  // Receiver.
    EXPECT_FALSE(with(3, 1));   // Zero.
    EXPECT_FALSE(with(20, 0));  // A payload without a sequence.
    EXPECT_FALSE(with(28, 0));  // Expects nothing.
    for (std::size_t size = 0; size < kSegmentHeadSize; ++size) {
        EXPECT_FALSE(decode_segment(kHere.node, std::span{good}.first(size))) << size;
    }
    EXPECT_TRUE(decode_segment(kHere.node, std::span{good}.first(kSegmentHeadSize)));
    Bytes large = good;
    large.resize(kSegmentSizeMax);
    EXPECT_TRUE(decode_segment(kHere.node, large));
    large.resize(kSegmentSizeMax + 1);
    EXPECT_FALSE(decode_segment(kHere.node, large));
}

std::vector<Message> samples() {
    NewView view;
    view.incarnation = Incarnation{9};
    view.members = NodeSet{0b101};
    view.unique[NodeNumber{1}] = Unique{4};
    view.unique[NodeNumber{3}] = Unique{5};
    const std::string longest(kNameMax, 'n');
    return {
        Report{Position{3}},
        Fetch{Position{0}},
        Submit{1, Join{"g", 7, 8, 9, data_of(kDataMax)}},
        Submit{2, Publish{longest, 7, data_of(0)}},
        Submit{3, Leave{"g", 7}},
        Submit{4, LeaveAll{7, LeaveReason::kLeft}},
        Submit{5, Kill{"g", 7, MemberId{8}}},
        Entry{Position{1}, kThere, 1, Join{"g", 7, 8, 9, data_of(10)}},
        Entry{Position{2}, kHere, 0, view},
        SnapshotBegin{Position{4}, Incarnation{9}, {{kHere, 3}, {kThere, 4}}},
        SnapshotGroup{"g", 1000, 77},
        SnapshotMember{MemberId{3}, kThere, 4, 5, 6, true, data_of(100)},
        SnapshotEnd{},
    };
}

TEST(GroupMessage, EachComesBackTheSameAndNoBeginningOfItIsOne) {
    for (const Message& message : samples()) {
        const Bytes bytes = encode(message);
        EXPECT_LE(bytes.size(), 8192U);
        const auto back = decode(bytes);
        ASSERT_TRUE(back) << hex(bytes);
        EXPECT_EQ(back->index(), message.index());
        EXPECT_EQ(encode(*back), bytes);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(decode(std::span{bytes}.first(size))) << hex(bytes) << ' ' << size;
        }
        Bytes longer = bytes;
        longer.push_back(std::byte{0});
        EXPECT_FALSE(decode(longer)) << hex(bytes);
    }
}

TEST(GroupMessage, GoldenBytes) {
    EXPECT_EQ(hex(encode(samples().at(3))).substr(0, 2 * 16),
              "0302000000000000000"
              "23f6e6e6e6e6e");
    EXPECT_EQ(hex(encode(samples().at(8))),
              "04"
              "0200000000000000"
              "01"
              "04030201"
              "0000000000000000"
              "06"
              "0900000000000000"
              "0500000000000000"
              "04000000"
              "05000000");
    EXPECT_EQ(hex(encode(samples().at(10))),
              "06"
              "01"
              "67"
              "e8030000"
              "4d00000000000000");
}

TEST(GroupMessage, WhatNobodyMaySayIsRefused) {
    EXPECT_FALSE(decode(encode(Submit{0, Leave{"g", 1}})));                   // No number.
    EXPECT_FALSE(decode(encode(Submit{1, NewView{}})));                       // Sequencer's.
    EXPECT_FALSE(decode(encode(Entry{Position{0}, kHere, 1, LeaveAll{1}})));  // No position.
    EXPECT_FALSE(decode(encode(Entry{Position{1}, kHere, 0, LeaveAll{1}})));  // No number.
    EXPECT_FALSE(decode(encode(Entry{Position{1}, kHere, 1, NewView{}})));    // A number.
    EXPECT_FALSE(decode(encode(Submit{1, Leave{"", 1}})));                    // No name.
    EXPECT_FALSE(decode(encode(Submit{1, Leave{std::string(64, 'n'), 1}})));  // Long name.
    EXPECT_FALSE(decode(encode(Submit{1, Publish{"g", 1, data_of(kDataMax + 1)}})));
    EXPECT_FALSE(decode(Bytes{std::byte{9}}));
    EXPECT_FALSE(decode({}));
}

TEST(GroupMessage, NothingThatComesHarmsTheReader) {
    std::mt19937 random{1};
    std::size_t accepted = 0;
    for (int round = 0; round < 50'000; ++round) {
        const auto all = samples();
        Bytes bytes = encode(all[random() % all.size()]);
        bytes.resize(std::min<std::size_t>(bytes.size(), 64));
        for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        }
        if (const auto back = decode(bytes)) {
            ++accepted;
            EXPECT_EQ(encode(*back), bytes);  // One spelling each.
        }
        static_cast<void>(decode_segment(kHere.node, bytes));
    }
    EXPECT_GT(accepted, 100U);
}

}  // namespace
}  // namespace css::group
