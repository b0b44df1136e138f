#include "voting/format/codec.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/voting_format/samples.h"
#include "voting/format/envelope.h"

namespace css::voting {
namespace {

using samples::Random;
using Sector = std::vector<std::byte>;

constexpr NodeNumber kSlot{5};

template <class Value>
struct Codec;
template <>
struct Codec<Heartbeat> {
    static constexpr auto encode = &encode_heartbeat;
    static constexpr auto decode = &decode_heartbeat;
    static Heartbeat sample() { return samples::heartbeat(); }
    static Heartbeat random(Random& r) { return samples::random_heartbeat(r); }
};
template <>
struct Codec<Ballot> {
    static constexpr auto encode = &encode_ballot;
    static constexpr auto decode = &decode_ballot;
    static Ballot sample() { return samples::ballot(); }
    static Ballot random(Random& r) { return samples::random_ballot(r); }
};
template <>
struct Codec<KillBlock> {
    static constexpr auto encode = &encode_kill;
    static constexpr auto decode = &decode_kill;
    static KillBlock sample() { return samples::kill(); }
    static KillBlock random(Random& r) { return samples::random_kill(r); }
};

template <class Value>
Sector encoded(const SectorIdentity& identity, NodeNumber slot, const Value& value) {
    Sector sector(identity.sector_size, std::byte{0xEE});
    Codec<Value>::encode(identity, slot, value, sector);
    return sector;
}

template <class Value>
SectorVerdict verdict_of(const SectorIdentity& identity, NodeNumber slot, const Sector& sector) {
    Value out;
    return Codec<Value>::decode(identity, slot, sector, out);
}

template <class Value>
class SectorCodec : public testing::Test {};
using Values = testing::Types<Heartbeat, Ballot, KillBlock>;
TYPED_TEST_SUITE(SectorCodec, Values);

TYPED_TEST(SectorCodec, RoundTripOfRandomValues) {
    Random random{1};
    for (const std::size_t size : {512U, 4096U}) {
        const SectorIdentity identity = samples::identity(size);
        for (int i = 0; i < 2000; ++i) {
            const TypeParam value = Codec<TypeParam>::random(random);
            const NodeNumber slot{1U + static_cast<unsigned>(i) % kNodesMax};
            const Sector sector = encoded(identity, slot, value);
            TypeParam out = Codec<TypeParam>::sample();
            ASSERT_EQ(Codec<TypeParam>::decode(identity, slot, sector, out), SectorVerdict::kValid);
            ASSERT_EQ(out, value);
        }
    }
}

TYPED_TEST(SectorCodec, FormattedSlotIsValidAndEmpty) {
    for (const std::size_t size : {512U, 4096U}) {
        const Sector sector = encoded(samples::identity(size), kSlot, TypeParam{});
        TypeParam out = Codec<TypeParam>::sample();
        ASSERT_EQ(Codec<TypeParam>::decode(samples::identity(size), kSlot, sector, out),
                  SectorVerdict::kValid);
        EXPECT_EQ(out, TypeParam{});
    }
}

TYPED_TEST(SectorCodec, EveryByteFlippedIsDetectedAndLeavesTheValueAlone) {
    for (const std::size_t size : {512U, 4096U}) {
        const SectorIdentity identity = samples::identity(size);
        for (const TypeParam& value : {Codec<TypeParam>::sample(), TypeParam{}}) {
            Sector sector = encoded(identity, kSlot, value);
            for (std::size_t i = 0; i < size; ++i) {
                for (const std::byte flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xFF}}) {
                    sector[i] ^= flip;
                    TypeParam out = Codec<TypeParam>::sample();
                    // Behind the checksum there are only zeros, checked as such.
                    ASSERT_EQ(Codec<TypeParam>::decode(identity, kSlot, sector, out),
                              i < kSectorPayload ? SectorVerdict::kBadChecksum
                                                 : SectorVerdict::kMalformed)
                        << i;
                    ASSERT_EQ(out, Codec<TypeParam>::sample());
                    sector[i] ^= flip;
                }
            }
        }
    }
}

// The checksum made right again: each field of the envelope has its own verdict, and of the unused
// bytes none may be set.
TYPED_TEST(SectorCodec, EveryByteOfTheEnvelopeChangedHasItsVerdict) {
    const SectorIdentity identity = samples::identity(512);
    const auto expected = [](std::size_t i) {
        return i < 8    ? SectorVerdict::kBadMagic
               : i < 10 ? SectorVerdict::kBadVersion
               : i < 11 ? SectorVerdict::kWrongKind
               : i < 12 ? SectorVerdict::kWrongSlot
               : i < 16 ? SectorVerdict::kMalformed
               : i < 32 ? SectorVerdict::kWrongCluster
                        : SectorVerdict::kWrongFile;
    };
    for (std::size_t i = 0; i < kContentsOffset; ++i) {
        Sector sector = encoded(identity, kSlot, Codec<TypeParam>::sample());
        sector[i] ^= std::byte{0x40};
        samples::reseal(sector);
        EXPECT_EQ(verdict_of<TypeParam>(identity, kSlot, sector), expected(i)) << i;
    }
}

TYPED_TEST(SectorCodec, UnusedContentsMustBeZero) {
    const SectorIdentity identity = samples::identity(512);
    Sector sector = encoded(identity, kSlot, Codec<TypeParam>::sample());
    for (std::size_t i = kContentsOffset + 432; i < kChecksumOffset; ++i) {
        sector[i] = std::byte{1};
        samples::reseal(sector);
        EXPECT_EQ(verdict_of<TypeParam>(identity, kSlot, sector), SectorVerdict::kMalformed);
        sector[i] = std::byte{0};
    }
}

TYPED_TEST(SectorCodec, CopiedElsewhereIsRecognised) {
    const SectorIdentity home = samples::identity(512);
    const Sector sector = encoded(home, kSlot, Codec<TypeParam>::sample());
    EXPECT_EQ(verdict_of<TypeParam>(home, NodeNumber{6}, sector), SectorVerdict::kWrongSlot);
    SectorIdentity other_file = home;
    other_file.file = {samples::bytes16(0x60)};
    EXPECT_EQ(verdict_of<TypeParam>(other_file, kSlot, sector), SectorVerdict::kWrongFile);
    // The order of the checks: a foreign cluster's file is foreign first.
    SectorIdentity other_cluster = other_file;
    other_cluster.cluster = {samples::bytes16(0x90)};
    EXPECT_EQ(verdict_of<TypeParam>(other_cluster, NodeNumber{6}, sector),
              SectorVerdict::kWrongCluster);
}

TYPED_TEST(SectorCodec, ForeignBytes) {
    for (const std::size_t size : {512U, 4096U}) {
        const Sector zeros(size);
        EXPECT_EQ(verdict_of<TypeParam>(samples::identity(size), kSlot, zeros),
                  SectorVerdict::kBadChecksum);
        Sector sealed_zeros(size);
        samples::reseal(sealed_zeros);
        EXPECT_EQ(verdict_of<TypeParam>(samples::identity(size), kSlot, sealed_zeros),
                  SectorVerdict::kBadMagic);
    }
}

TEST(SectorKinds, AreNotMixedUp) {
    const SectorIdentity identity = samples::identity(512);
    EXPECT_EQ(verdict_of<Ballot>(identity, kSlot, encoded(identity, kSlot, samples::heartbeat())),
              SectorVerdict::kWrongKind);
    EXPECT_EQ(verdict_of<KillBlock>(identity, kSlot, encoded(identity, kSlot, samples::ballot())),
              SectorVerdict::kWrongKind);
    EXPECT_EQ(verdict_of<Heartbeat>(identity, kSlot, encoded(identity, kSlot, samples::kill())),
              SectorVerdict::kWrongKind);
}

/// A field set to a value against the format, with a right checksum.
struct Damage {
    const char* what;
    std::size_t offset;  ///< Within the contents.
    std::vector<unsigned> bytes;
};

template <class Value>
void expect_malformed(const Damage& damage) {
    const SectorIdentity identity = samples::identity(512);
    Sector sector = encoded(identity, kSlot, Codec<Value>::sample());
    for (std::size_t i = 0; i < damage.bytes.size(); ++i) {
        sector[kContentsOffset + damage.offset + i] = static_cast<std::byte>(damage.bytes[i]);
    }
    samples::reseal(sector);
    EXPECT_EQ(verdict_of<Value>(identity, kSlot, sector), SectorVerdict::kMalformed) << damage.what;
}

/// Of a record that begins at `at`.
std::vector<Damage> record_damages(std::size_t at) {
    return {{"no incarnation, but members", at, std::vector<unsigned>(8, 0)},
            {"no members", at + 8, std::vector<unsigned>(8, 0)},
            {"member 1 without unique", at + 16, {0, 0, 0, 0}},
            {"misscount zero", at + 272, {0, 0, 0, 0}},
            {"disktimeout zero", at + 276, {0, 0, 0, 0}},
            {"reboottime zero", at + 280, {0, 0, 0, 0}},
            {"no files", at + 284, {0, 0}},
            {"file 16", at + 285, {0x80}},
            {"next file 16", at + 287, {0x80}},
            {"proposer 65", at + 288, {65}},
            {"cause", at + 289, {kRecordCauseMax + 1U}},
            {"unused", at + 290, {1}},
            {"unused", at + 291, {1}}};
}

TEST(HeartbeatCodec, ContentsAgainstTheFormat) {
    for (const Damage& damage : record_damages(72)) {
        expect_malformed<Heartbeat>(damage);
    }
    const std::vector<Damage> damages{{"no unique", 0, {0, 0, 0, 0}},
                                      {"state 0", 4, {0}},
                                      {"state 6", 4, {6}},
                                      {"standby 2", 5, {2}},
                                      {"complete 2", 6, {2}},
                                      {"slots read 65", 7, {65}},
                                      {"promised misscount zero", 12, {0, 0, 0, 0}},
                                      {"promised disktimeout zero", 16, {0, 0, 0, 0}},
                                      {"promised reboottime zero", 20, {0, 0, 0, 0}}};
    for (const Damage& damage : damages) {
        expect_malformed<Heartbeat>(damage);
    }
}

TEST(BallotCodec, ContentsAgainstTheFormat) {
    for (const Damage& damage : record_damages(24)) {
        expect_malformed<Ballot>(damage);
    }
    expect_malformed<Ballot>({"no instance", 0, std::vector<unsigned>(8, 0)});
    expect_malformed<Ballot>({"another instance than its record", 0, {9}});
    expect_malformed<Ballot>({"bal above mbal", 16, std::vector<unsigned>(8, 0xFF)});
}

TEST(KillCodec, ContentsAgainstTheFormat) {
    const std::vector<Damage> damages{{"no victim", 0, {0, 0, 0, 0}},
                                      {"no evictor", 4, {0}},
                                      {"evictor 65", 4, {65}},
                                      {"reason", 5, {kKillReasonMax + 1U}},
                                      {"confirmed 2", 6, {2}},
                                      {"unused", 7, {1}}};
    for (const Damage& damage : damages) {
        expect_malformed<KillBlock>(damage);
    }
}

TEST(HeartbeatCodec, CarriesTheGenesisRecord) {
    const SectorIdentity identity = samples::identity(512);
    Heartbeat h = samples::heartbeat();
    h.state = NodeState::kJoining;
    h.record = genesis_record(headers_of(samples::new_set(512)).front());
    Heartbeat out;
    EXPECT_EQ(decode_heartbeat(identity, kSlot, encoded(identity, kSlot, h), out),
              SectorVerdict::kValid);
    EXPECT_EQ(out, h);
}

using SectorCodecDeathTest = testing::Test;

TEST(SectorCodecDeathTest, InconsistentValuesAreNeverWritten) {
    const SectorIdentity identity = samples::identity(512);
    Heartbeat zero_timeout = samples::heartbeat();
    zero_timeout.promise.misscount = std::chrono::milliseconds{0};
    EXPECT_DEATH(encoded(identity, kSlot, zero_timeout), "is_consistent");
    Heartbeat half_empty = samples::heartbeat();
    half_empty.unique = Unique{};
    EXPECT_DEATH(encoded(identity, kSlot, half_empty), "value == Value");
    EXPECT_DEATH(encoded(identity, NodeNumber{}, samples::kill()), "is_some");
    Sector short_sector(511);
    EXPECT_DEATH(encode_kill(identity, kSlot, samples::kill(), short_sector), "sector_size");
}

}  // namespace
}  // namespace css::voting
