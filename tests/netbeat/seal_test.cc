#include "netbeat/wire/seal.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "tests/netbeat/heartbeats.h"

namespace css::netbeat {
namespace {

constexpr NodeNumber kOne{1};
constexpr NodeNumber kTwo{2};

ClusterGuid cluster(unsigned value) {
    ClusterGuid guid;
    guid.bytes.fill(static_cast<std::byte>(value));
    return guid;
}

Key key(unsigned value) {
    std::array<std::byte, kKeySize> bytes{};
    bytes.fill(static_cast<std::byte>(value));
    return Key{bytes};
}

std::vector<std::byte> sealed(const Sealer& sealer, const Heartbeat& heartbeat) {
    std::vector<std::byte> datagram(kDatagramSizeMax);
    datagram.resize(sealer.seal(heartbeat, datagram));
    return datagram;
}

DatagramVerdict verdict_of(const Sealer& sealer,
                           std::span<const std::byte> datagram,
                           NodeNumber sender) {
    Heartbeat back;
    const auto verdict = sealer.open(datagram, sender, back);
    if (verdict != DatagramVerdict::kAccepted) {
        EXPECT_EQ(back, Heartbeat{}) << describe(verdict);
    }
    return verdict;
}

TEST(Seal, RandomHeartbeatsComeBackTheSame) {
    const Sealer sealer{cluster(1), key(2)};
    Random random{4};
    for (int round = 0; round < 2'000; ++round) {
        const Heartbeat h = random_heartbeat(random);
        Heartbeat back;
        ASSERT_EQ(sealer.open(sealed(sealer, h), h.sender.node, back), DatagramVerdict::kAccepted);
        ASSERT_EQ(back, h);
    }
}

TEST(Seal, EveryChangedBitIsRefused) {
    const Sealer sealer{cluster(1), key(2)};
    const auto good = sealed(sealer, member_heartbeat(kTwo, 3, 5));
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        auto bytes = good;
        bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto verdict = verdict_of(sealer, bytes, kTwo);
        const std::size_t at = bit / 8;
        const auto expected = at < 4    ? DatagramVerdict::kBadMagic
                              : at == 4 ? DatagramVerdict::kBadVersion
                              : at == 5 ? DatagramVerdict::kWrongSender
                              : at < 14 ? DatagramVerdict::kWrongCluster
                                        : DatagramVerdict::kNotAuthentic;
        ASSERT_EQ(verdict, expected) << "byte " << at;
    }
}

TEST(Seal, EveryOtherLengthIsRefused) {
    const Sealer sealer{cluster(1), key(2)};
    auto bytes = sealed(sealer, member_heartbeat(kTwo, 3, 5));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ASSERT_EQ(
            verdict_of(sealer, std::span{bytes}.first(size), kTwo),
            size < kDatagramSizeMin ? DatagramVerdict::kTooShort : DatagramVerdict::kNotAuthentic)
            << size;
    }
    bytes.push_back(std::byte{0});
    EXPECT_EQ(verdict_of(sealer, bytes, kTwo), DatagramVerdict::kNotAuthentic);
    bytes.resize(kDatagramSizeMax);
    EXPECT_EQ(verdict_of(sealer, bytes, kTwo), DatagramVerdict::kNotAuthentic);
    bytes.resize(kDatagramSizeMax + 1);
    EXPECT_EQ(verdict_of(sealer, bytes, kTwo), DatagramVerdict::kTooLong);
}

TEST(Seal, AnotherKeyIsNotAuthentic) {
    const auto datagram = sealed(Sealer{cluster(1), key(2)}, member_heartbeat(kTwo, 3, 5));
    EXPECT_EQ(verdict_of(Sealer{cluster(1), key(3)}, datagram, kTwo),
              DatagramVerdict::kNotAuthentic);
}

/// A node with its keys.
struct Node {
    std::shared_ptr<KeyRing> keys = std::make_shared<KeyRing>(key(2));
    Sealer sealer{cluster(1), keys};
};

/// All hold the next key, one moves to it, and the others follow with its first datagram.
TEST(Seal, FromOneKeyToTheNext) {
    const Sealer only_old{cluster(1), key(2)};
    const Sealer only_new{cluster(1), key(3)};
    const Node first;
    const Node second;
    const Heartbeat h = member_heartbeat(kTwo, 3, 5);
    EXPECT_FALSE(first.keys->move_to(key(3))) << "it is not held";
    EXPECT_TRUE(first.keys->hold(key(3)));
    EXPECT_TRUE(second.keys->hold(key(3)));
    // Nobody has moved: the old key seals, both open.
    EXPECT_EQ(verdict_of(only_old, sealed(first.sealer, h), kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(verdict_of(first.sealer, sealed(only_old, h), kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(first.keys->moves() + second.keys->moves(), 0U);
    EXPECT_TRUE(first.keys->move_to(key(3)));
    EXPECT_EQ(verdict_of(only_new, sealed(first.sealer, h), kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(verdict_of(only_old, sealed(first.sealer, h), kTwo), DatagramVerdict::kNotAuthentic);
    EXPECT_EQ(verdict_of(first.sealer, sealed(second.sealer, h), kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(verdict_of(second.sealer, sealed(first.sealer, h), kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(second.keys->moves(), 1U);
    EXPECT_EQ(verdict_of(only_new, sealed(second.sealer, h), kTwo), DatagramVerdict::kAccepted);
    // What is sealed with the former key moves nobody back, and in the end it is refused.
    EXPECT_EQ(verdict_of(second.sealer, sealed(only_old, h), kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(second.keys->moves(), 1U);
    EXPECT_FALSE(second.keys->hold(key(4))) << "never three";
    second.keys->drop_former();
    EXPECT_EQ(verdict_of(second.sealer, sealed(only_old, h), kTwo), DatagramVerdict::kNotAuthentic);
    EXPECT_EQ(verdict_of(second.sealer, sealed(first.sealer, h), kTwo), DatagramVerdict::kAccepted);
}

TEST(Seal, AnotherClusterIsRefusedEvenWithTheSameKey) {
    const Sealer here{cluster(1), key(2)};
    const auto datagram = sealed(here, member_heartbeat(kTwo, 3, 5));
    const Sealer there{cluster(9), key(2)};
    EXPECT_EQ(verdict_of(there, datagram, kTwo), DatagramVerdict::kWrongCluster);

    // The clear tag is a hash only. The whole GUID is bound in: with the other's tag pasted over,
    // the datagram is still not authentic there.
    const auto theirs = sealed(there, member_heartbeat(kTwo, 3, 5));
    auto pasted = datagram;
    std::copy(theirs.begin() + 6, theirs.begin() + kPrefixSize, pasted.begin() + 6);
    EXPECT_EQ(verdict_of(there, pasted, kTwo), DatagramVerdict::kNotAuthentic);
}

TEST(Seal, SenderNumberMustBeThatOfTheAddress) {
    const Sealer sealer{cluster(1), key(2)};
    auto datagram = sealed(sealer, member_heartbeat(kTwo, 3, 5));
    EXPECT_EQ(verdict_of(sealer, datagram, kOne), DatagramVerdict::kWrongSender);
    datagram[5] = std::byte{1};  // Bound in: changing the clear number does not help.
    EXPECT_EQ(verdict_of(sealer, datagram, kOne), DatagramVerdict::kNotAuthentic);
}

TEST(Seal, SealingTheSameTwiceLooksDifferent) {
    const Sealer sealer{cluster(1), key(2)};
    std::set<std::vector<std::byte>> seen;
    for (int i = 0; i < 1'000; ++i) {
        seen.insert(sealed(sealer, member_heartbeat(kTwo, 3, 5)));
    }
    EXPECT_EQ(seen.size(), 1'000U);
}

TEST(Seal, ReplaysOpenAgain) {
    // The format cannot know them; the core refuses what is not newer than the last (u, seq).
    const Sealer sealer{cluster(1), key(2)};
    const auto datagram = sealed(sealer, member_heartbeat(kTwo, 3, 5));
    EXPECT_EQ(verdict_of(sealer, datagram, kTwo), DatagramVerdict::kAccepted);
    EXPECT_EQ(verdict_of(sealer, datagram, kTwo), DatagramVerdict::kAccepted);
}

TEST(Seal, LargestDatagramNeedsNoFragmentsAnywhere) {
    const Sealer sealer{cluster(1), key(2)};
    Heartbeat largest = member_heartbeat(kTwo, 64, 5);
    largest.record.files = FileSet{(1U << kFilesMax) - 1};
    const auto datagram = sealed(sealer, largest);
    EXPECT_EQ(datagram.size(), kDatagramSizeMax);
    EXPECT_LE(datagram.size(), 1232U);
}

// -------------------------------------------------------------------------------- messages

using Opened = std::array<std::byte, kMessageSizeMax>;

std::vector<std::byte> sealed(const Sealer& sealer, std::span<const std::byte> message) {
    std::vector<std::byte> datagram(kUnfragmentedMax);
    datagram.resize(sealer.seal_message(kTwo, message, datagram));
    return datagram;
}

TEST(Seal, MessagesOfEverySizeComeBackTheSame) {
    const Sealer sealer{cluster(1), key(2)};
    Random random{5};
    for (std::size_t size = 1; size <= kMessageSizeMax; ++size) {
        std::vector<std::byte> message(size);
        for (std::byte& b : message) {
            b = static_cast<std::byte>(random.below(256));
        }
        const auto datagram = sealed(sealer, message);
        ASSERT_EQ(datagram.size(), kSealOverhead + size);
        ASSERT_EQ(kind_of(datagram), DatagramKind::kMessage);
        Opened opened{};
        ASSERT_EQ(sealer.open_message(datagram, kTwo, opened), DatagramVerdict::kAccepted);
        ASSERT_TRUE(std::equal(message.begin(), message.end(), opened.begin()));
    }
}

TEST(Seal, EveryChangedBitOfAMessageIsRefused) {
    const Sealer sealer{cluster(1), key(2)};
    const auto good = sealed(sealer, std::array{std::byte{1}, std::byte{2}, std::byte{3}});
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        auto bytes = good;
        bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        Opened opened{};
        EXPECT_NE(sealer.open_message(bytes, kTwo, opened), DatagramVerdict::kAccepted) << bit;
    }
    Opened opened{};
    EXPECT_EQ(sealer.open_message(good, kOne, opened), DatagramVerdict::kWrongSender);
    const Sealer there{cluster(9), key(2)};
    EXPECT_EQ(there.open_message(good, kTwo, opened), DatagramVerdict::kWrongCluster);
    std::vector<std::byte> large(kUnfragmentedMax + 1);
    EXPECT_EQ(sealer.open_message(large, kTwo, opened), DatagramVerdict::kTooLong);
    EXPECT_EQ(sealer.open_message(std::span{large}.first(kSealOverhead), kTwo, opened),
              DatagramVerdict::kTooShort);
}

// The kind is bound in: with the other magic pasted over it is authentic as nothing.
TEST(Seal, OneKindOfDatagramDoesNotOpenAsTheOther) {
    const Sealer sealer{cluster(1), key(2)};
    auto heartbeat = sealed(sealer, member_heartbeat(kTwo, 3, 5));
    auto message = sealed(sealer, std::vector<std::byte>(kPlainHeadSize));
    Opened opened{};
    EXPECT_EQ(sealer.open_message(heartbeat, kTwo, opened), DatagramVerdict::kBadMagic);
    EXPECT_EQ(verdict_of(sealer, message, kTwo), DatagramVerdict::kBadMagic);
    std::swap_ranges(heartbeat.begin(), heartbeat.begin() + 4, message.begin());
    EXPECT_EQ(sealer.open_message(heartbeat, kTwo, opened), DatagramVerdict::kNotAuthentic);
    EXPECT_EQ(verdict_of(sealer, message, kTwo), DatagramVerdict::kNotAuthentic);
}

}  // namespace
}  // namespace css::netbeat
