#include "netbeat/wire/codec.h"

#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/netbeat/heartbeats.h"

namespace css::netbeat {
namespace {

std::string hex(std::span<const std::byte> bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += kDigits[std::to_integer<unsigned>(b) >> 4];
        text += kDigits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

// Golden bytes: written down from WIRE.md with another program, not with encode(). They may not
// change while the version stays the same.
TEST(Codec, GoldenMemberOfThree) {
    Heartbeat h;
    h.sender = Instance{NodeNumber{2}, Unique{0x65000002}};
    h.sequence = Sequence{0x0102030405060708};
    h.state = NodeState::kActive;
    h.complete = true;
    h.weight = 1001;
    h.connected = NodeSet{0b101};
    h.doubt = NodeSet{0b100};
    h.stop_requested = NodeSet{0b001};
    h.record.incarnation = Incarnation{7};
    h.record.members = NodeSet{0b111};
    h.record.unique[NodeNumber{1}] = Unique{0x65000001};
    h.record.unique[NodeNumber{2}] = Unique{0x65000002};
    h.record.unique[NodeNumber{3}] = Unique{0x65000003};
    h.record.unique[NodeNumber{64}] = Unique{0x64ffffff};
    h.record.files = FileSet{0b111};
    h.record.files_next = FileSet{0x4000};
    h.record.proposer = NodeNumber{1};
    h.record.cause = RecordCause::kLinkLost;
    h.record.files_generation = 9;
    h.record.file_tags[FileIndex::from_index(1)] = FileTag{0xa1b2c3d4};
    h.record.file_tags[FileIndex::from_index(14)] = FileTag{0x0f};
    h.echo[NodeNumber{1}] = Echo{Unique{0x65000001}, Sequence{0x1122334455667788}};
    h.echo[NodeNumber{3}] = Echo{Unique{0x65000003}, Sequence{0}};
    const std::string golden =
        "02"
        "02"
        "02"
        "02"
        "02000065"
        "0807060504030201"
        "e9030000"
        "0500000000000000"
        "0400000000000000"
        "0100000000000000"
        "0500000000000000"
        "0700000000000000"
        "0700000000000000"
        "0700000000000080"
        "30750000"
        "400d0300"
        "b80b0000"
        "0700"
        "0040"
        "01"
        "03"
        "0900000000000000"
        "01000065"
        "02000065"
        "03000065"
        "ffffff64"
        "00000000"
        "d4c3b2a1"
        "00000000"
        "0f000000"
        "01000065"
        "8877665544332211"
        "03000065"
        "0000000000000000";
    EXPECT_EQ(hex(plain_of(h)), golden);
    Heartbeat back;
    ASSERT_EQ(decode(plain_of(h), back), PlainVerdict::kValid);
    EXPECT_EQ(back, h);
}

TEST(Codec, GoldenFirstHeartbeatOfJoiner) {
    Heartbeat h;
    h.sender = Instance{NodeNumber{64}, Unique{1}};
    h.sequence = Sequence{1};
    h.standby = true;
    const std::string golden =
        "02"
        "01"
        "01"
        "40"
        "01000000"
        "0100000000000000"
        "01000000"
        "0000000000000000"
        "0000000000000000"
        "0000000000000000"
        "0000000000000000"
        "0000000000000000"
        "0000000000000000"
        "0000000000000000"
        "30750000"
        "400d0300"
        "b80b0000"
        "0000"
        "0000"
        "00"
        "00"
        "0000000000000000";
    EXPECT_EQ(hex(plain_of(h)), golden);
}

TEST(Codec, RandomHeartbeatsComeBackTheSame) {
    Random random{1};
    for (int round = 0; round < 20'000; ++round) {
        const Heartbeat h = random_heartbeat(random);
        Heartbeat back = random_heartbeat(random);  // Old contents must leave no trace.
        ASSERT_EQ(decode(plain_of(h), back), PlainVerdict::kValid) << "round " << round;
        ASSERT_EQ(back, h) << "round " << round;
    }
}

TEST(Codec, OwnEchoEntryIsLeftOut) {
    Heartbeat h = member_heartbeat(NodeNumber{1}, 2, 9);
    const auto without = plain_of(h);
    h.echo[NodeNumber{1}] = Echo{Unique{3}, Sequence{4}};
    EXPECT_EQ(plain_of(h), without);
}

TEST(Codec, SizesAreThoseOfTheFormat) {
    EXPECT_EQ(plain_of(member_heartbeat(NodeNumber{1}, 3, 5)).size(),
              kPlainHeadSize + 3 * kPlainUniqueSize + 3 * kPlainTagSize + 2 * kPlainEchoSize);
    Heartbeat largest = member_heartbeat(NodeNumber{7}, 64, 5);
    largest.record.files = FileSet{(1U << kFilesMax) - 1};
    EXPECT_EQ(plain_of(largest).size(), kPlainSizeMax);
}

// A changed byte cannot be noticed here (that is what sealing is for), but it must be refused or
// mean something else, and never be a second spelling of the same heartbeat.
TEST(Codec, EveryChangedByteIsRefusedOrMeansSomethingElse) {
    Random random{2};
    for (const Heartbeat& h : {member_heartbeat(NodeNumber{2}, 3, 5), random_heartbeat(random)}) {
        const auto good = plain_of(h);
        for (std::size_t at = 0; at < good.size(); ++at) {
            for (const unsigned mask : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U, 255U}) {
                auto bytes = good;
                bytes[at] ^= static_cast<std::byte>(mask);
                Heartbeat back;
                const auto verdict = decode(bytes, back);
                if (verdict != PlainVerdict::kValid) {
                    ASSERT_EQ(back, Heartbeat{}) << "touched, byte " << at;
                    continue;
                }
                ASSERT_NE(back, h) << "byte " << at << " mask " << mask;
                ASSERT_EQ(plain_of(back), bytes) << "byte " << at << " mask " << mask;
            }
        }
    }
}

TEST(Codec, EveryOtherLengthIsRefused) {
    auto bytes = plain_of(member_heartbeat(NodeNumber{2}, 3, 5));
    Heartbeat back;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ASSERT_EQ(decode(std::span{bytes}.first(size), back), PlainVerdict::kTooShort) << size;
    }
    for (std::size_t more = 0; more < 100; ++more) {
        bytes.push_back(std::byte{0});
        ASSERT_EQ(decode(bytes, back), PlainVerdict::kTrailingBytes) << more;
    }
    EXPECT_EQ(back, Heartbeat{});
}

TEST(Codec, RandomBytesNeverPassAsTwoSpellings) {
    Random random{3};
    int valid = 0;
    for (int round = 0; round < 50'000; ++round) {
        // Half noise, half real ones with a few noisy bytes, which get further in.
        auto bytes = plain_of(random_heartbeat(random));
        const std::uint64_t changes = round % 2 == 0 ? bytes.size() : 3;
        for (std::uint64_t i = 0; i < changes; ++i) {
            bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
        }
        Heartbeat back;
        if (decode(bytes, back) == PlainVerdict::kValid) {
            ++valid;
            ASSERT_EQ(plain_of(back), bytes);
        }
    }
    EXPECT_GT(valid, 100);
}

struct BrokenRule {
    std::string what;
    std::size_t at;
    std::vector<unsigned> bytes;
    PlainVerdict verdict;
};

/// Each row breaks one rule of a good heartbeat of node 2 of 3, with echoes of 1 and 3.
const std::vector<BrokenRule>& broken_rules() {
    static const std::vector<BrokenRule> rules{
        {"version 0", 0, {0}, PlainVerdict::kBadVersion},
        {"version 1", 0, {1}, PlainVerdict::kBadVersion},
        {"state 0", 1, {0}, PlainVerdict::kBadState},
        {"state 6", 1, {6}, PlainVerdict::kBadState},
        {"third flag", 2, {4}, PlainVerdict::kBadFlags},
        {"last flag", 2, {0x80}, PlainVerdict::kBadFlags},
        {"node 0", 3, {0}, PlainVerdict::kBadSender},
        {"node 65", 3, {65}, PlainVerdict::kBadSender},
        {"no unique", 4, {0, 0, 0, 0}, PlainVerdict::kNoUnique},
        {"no sequence", 8, {0, 0, 0, 0, 0, 0, 0, 0}, PlainVerdict::kNoSequence},
        {"echo of 1 becomes one of 2", 44, {6}, PlainVerdict::kEchoOfSender},
        {"echo without its entry", 44, {0x0d}, PlainVerdict::kTooShort},
        {"entry without its echo", 44, {1}, PlainVerdict::kTrailingBytes},
        {"record 0", 52, {0}, PlainVerdict::kBadRecord},
        {"member 4 not listed", 60, {15}, PlainVerdict::kMemberNotListed},
        {"listed without its unique", 68, {15}, PlainVerdict::kTooShort},
        {"misscount 0", 76, {0, 0, 0, 0}, PlainVerdict::kBadParameters},
        {"misscount = disktimeout", 76, {0x40, 0x0d, 3, 0}, PlainVerdict::kBadParameters},
        {"disktimeout 0", 80, {0, 0, 0, 0}, PlainVerdict::kBadParameters},
        {"reboottime 0", 84, {0, 0, 0, 0}, PlainVerdict::kBadParameters},
        {"reboottime = misscount", 84, {0x30, 0x75, 0, 0}, PlainVerdict::kBadParameters},
        {"file 15", 89, {0x80}, PlainVerdict::kBadFiles},
        {"next file 15", 91, {0x80}, PlainVerdict::kBadFiles},
        {"proposer 65", 92, {65}, PlainVerdict::kBadProposer},
        {"cause 10", 93, {10}, PlainVerdict::kBadCause},
        {"unique 0 of node 1", 102, {0, 0, 0, 0}, PlainVerdict::kListedWithoutUnique},
        {"unique 0 of node 3", 110, {0, 0, 0, 0}, PlainVerdict::kListedWithoutUnique},
        {"echo of unique 0, node 1", 126, {0, 0, 0, 0}, PlainVerdict::kEchoWithoutUnique},
        {"echo of unique 0, node 3", 138, {0, 0, 0, 0}, PlainVerdict::kEchoWithoutUnique},
    };
    return rules;
}

TEST(Codec, EveryBrokenRuleHasItsVerdict) {
    for (const BrokenRule& rule : broken_rules()) {
        auto bytes = plain_of(member_heartbeat(NodeNumber{2}, 3, 5));
        for (std::size_t i = 0; i < rule.bytes.size(); ++i) {
            bytes.at(rule.at + i) = static_cast<std::byte>(rule.bytes[i]);
        }
        Heartbeat back;
        EXPECT_EQ(decode(bytes, back), rule.verdict) << rule.what;
        EXPECT_EQ(back, Heartbeat{}) << rule.what;
        EXPECT_NE(describe(rule.verdict), "?");
    }
}

TEST(CodecDeath, EncodingWhatNobodyWouldAcceptAborts) {
    const std::vector<std::pair<std::string, std::function<void(Heartbeat&)>>> breaks{
        {"no sender", [](Heartbeat& h) { h.sender.node = NodeNumber{}; }},
        {"no unique", [](Heartbeat& h) { h.sender.unique = Unique{}; }},
        {"no sequence", [](Heartbeat& h) { h.sequence = Sequence{}; }},
        {"member without unique", [](Heartbeat& h) { h.record.members.insert(NodeNumber{9}); }},
        {"time-outs out of order",
         [](Heartbeat& h) { h.record.parameters.misscount = std::chrono::milliseconds{1}; }},
        {"time-out too long",
         [](Heartbeat& h) { h.record.parameters.disktimeout = std::chrono::hours{10'000}; }},
    };
    for (const auto& [what, break_it] : breaks) {
        Heartbeat h = member_heartbeat(NodeNumber{1}, 3, 5);
        break_it(h);
        EXPECT_DEATH(static_cast<void>(plain_of(h)), "codec.cc") << what;
    }
}

}  // namespace
}  // namespace css::netbeat
