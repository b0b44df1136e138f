#include "voting/quorum/disk_paxos.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace css::voting {
namespace {

constexpr unsigned kSlots = 3;

NodeNumber node(unsigned n) {
    return NodeNumber{n};
}
FileIndex file(std::size_t f) {
    return FileIndex::from_index(f);
}

Record record(std::uint64_t incarnation, std::uint64_t members) {
    Record r;
    r.incarnation = Incarnation{incarnation};
    r.members = NodeSet{members};
    for (const NodeNumber n : r.members) {
        r.unique[n] = Unique{100 + n.value()};
    }
    r.files = FileSet{0b111};
    return r;
}

Quorum three_files() {
    return Quorum{FileSet{0b111}, FileSet{}};
}

/// Three files that proposers write and read whole, one cycle at a time.
class Disks {
public:
    Disks() {
        SlotView empty;
        empty.heartbeat_verdict = SectorVerdict::kValid;
        empty.ballot_verdict = SectorVerdict::kValid;
        empty.kill_verdict = SectorVerdict::kValid;
        files_.assign(3, std::vector<SlotView>(kSlots, empty));
    }
    void write(NodeNumber n, std::size_t f, const Ballot& b) { files_[f][n.index()].ballot = b; }
    DiskPaxos::Event cycle(DiskPaxos& p, NodeNumber n, std::size_t f) {
        write(n, f, p.block());
        return p.on_cycle(file(f), p.serial(), files_[f]);
    }
    std::vector<SlotView>& slots(std::size_t f) { return files_[f]; }
    /// The own copies as a restarted daemon reads them.
    void recover(DiskPaxos& p, NodeNumber n, std::initializer_list<std::size_t> from) {
        for (const std::size_t f : from) {
            p.recover(files_[f][n.index()].ballot);
        }
    }

private:
    std::vector<std::vector<SlotView>> files_;
};

TEST(DiskPaxos, DecidesOnAMajority) {
    Disks disks;
    DiskPaxos p(node(1), kSlots);
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    EXPECT_EQ(disks.cycle(p, node(1), 2), DiskPaxos::Event::kNewBlock);
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    EXPECT_EQ(disks.cycle(p, node(1), 2), DiskPaxos::Event::kDecided);
    EXPECT_EQ(p.chosen(), record(1, 0b001));
}

TEST(DiskPaxos, ACycleThatWroteAnOlderBlockDoesNotCount) {
    Disks disks;
    DiskPaxos p(node(1), kSlots);
    const std::uint64_t before = p.serial();
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(p.on_cycle(file(0), before, disks.slots(0)), DiskPaxos::Event::kNothing);
    EXPECT_EQ(p.on_cycle(file(1), before, disks.slots(1)), DiskPaxos::Event::kNothing);
    EXPECT_EQ(p.phase(), DiskPaxos::Phase::kPrepare);
}

TEST(DiskPaxos, EverySlotNeedsItsOwnMajority) {
    Disks disks;
    DiskPaxos p(node(1), kSlots);
    disks.slots(0)[1].ballot_verdict = SectorVerdict::kBadChecksum;
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    EXPECT_EQ(disks.cycle(p, node(1), 1), DiskPaxos::Event::kNothing) << "slot 2 read once only";
    EXPECT_EQ(disks.cycle(p, node(1), 2), DiskPaxos::Event::kNewBlock);
}

TEST(DiskPaxos, TheHighestBalIsRecoveredNotTheHighestMbal) {
    Disks disks;
    Ballot low_mbal_high_bal{Incarnation{1}, 64 * 2 + 1, 64 * 2 + 1, record(1, 0b010)};
    Ballot high_mbal_low_bal{Incarnation{1}, 64 * 3 + 2, 64 * 1 + 2, record(1, 0b100)};
    for (std::size_t f = 0; f < 3; ++f) {
        disks.write(node(2), f, low_mbal_high_bal);
        disks.write(node(3), f, high_mbal_low_bal);
    }
    DiskPaxos p(node(1), kSlots);
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kPreempted) << "of mbal 194";
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(p.block().mbal, 64U * 4);
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    EXPECT_EQ(disks.cycle(p, node(1), 1), DiskPaxos::Event::kNewBlock);
    EXPECT_EQ(p.block().record, record(1, 0b010));
}

TEST(DiskPaxos, ANewBallotKeepsOwnBalAndRecord) {
    Disks disks;
    DiskPaxos p(node(1), kSlots);
    p.begin(record(1, 0b001), three_files());
    ASSERT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    ASSERT_EQ(disks.cycle(p, node(1), 1), DiskPaxos::Event::kNewBlock);
    p.abandon();
    p.begin(record(1, 0b111), three_files());
    EXPECT_NE(p.block().bal, 0U);
    EXPECT_EQ(p.block().record, record(1, 0b001));
    ASSERT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    ASSERT_EQ(disks.cycle(p, node(1), 1), DiskPaxos::Event::kNewBlock);
    EXPECT_EQ(p.block().record, record(1, 0b001)) << "it may have been chosen";
}

TEST(DiskPaxos, ARestartRecoversByBalFromAnyCopy) {
    Disks disks;
    DiskPaxos before(node(1), kSlots);
    before.begin(record(1, 0b001), three_files());
    ASSERT_EQ(disks.cycle(before, node(1), 0), DiskPaxos::Event::kNothing);
    ASSERT_EQ(disks.cycle(before, node(1), 1), DiskPaxos::Event::kNewBlock);
    ASSERT_EQ(disks.cycle(before, node(1), 0), DiskPaxos::Event::kNothing);  // bal on file 0 only
    DiskPaxos p(node(1), kSlots);
    disks.recover(p, node(1), {2, 1, 0});
    EXPECT_EQ(p.block().bal, before.block().bal);
    EXPECT_EQ(p.block().record, record(1, 0b001));
    p.begin(record(1, 0b111), three_files());
    EXPECT_GT(p.block().mbal, before.block().mbal);
}

TEST(DiskPaxos, AnOwnCopyWithAHigherPromiseEndsTheBallot) {
    DiskPaxos p(node(1), kSlots);
    p.begin(record(1, 0b001), three_files());
    p.recover(Ballot{Incarnation{1}, 64 * 9, 0, Record{}});
    EXPECT_FALSE(p.running());
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(p.block().mbal, 64U * 10);
}

TEST(DiskPaxos, ABlockOfALaterInstanceAbortsAndNeverCountsAsEmpty) {
    Disks disks;
    disks.write(node(2), 0, Ballot{Incarnation{2}, 65, 0, Record{}});
    DiskPaxos p(node(1), kSlots);
    p.begin(record(1, 0b001), three_files());
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kBehind);
    EXPECT_FALSE(p.running());
}

TEST(DiskPaxos, JointSetsNeedBoth) {
    Disks disks;
    DiskPaxos p(node(1), kSlots);
    p.begin(record(1, 0b001), Quorum{FileSet{0b001}, FileSet{0b100}});
    EXPECT_EQ(disks.cycle(p, node(1), 0), DiskPaxos::Event::kNothing);
    EXPECT_EQ(disks.cycle(p, node(1), 1), DiskPaxos::Event::kNothing);
    EXPECT_EQ(disks.cycle(p, node(1), 2), DiskPaxos::Event::kNewBlock);
}

// Every order in which two proposers can take their cycles on three files, each doing six cycles
// (two rounds over the files), with a retry after a lost ballot: whatever is decided, is decided
// alike by both.
TEST(DiskPaxos, TwoProposersNeverDecideDifferently) {
    constexpr unsigned kSteps = 12;
    unsigned decided_by_both = 0;
    for (unsigned order = 0; order < (1U << kSteps); ++order) {
        Disks disks;
        DiskPaxos one(node(1), kSlots);
        DiskPaxos two(node(2), kSlots);
        one.begin(record(1, 0b001), three_files());
        two.begin(record(1, 0b010), three_files());
        std::optional<Record> first;
        std::optional<Record> second;
        std::size_t next_one = 0;
        std::size_t next_two = 0;
        for (unsigned s = 0; s < kSteps; ++s) {
            const bool turn = (order >> s & 1U) != 0;
            DiskPaxos& p = turn ? two : one;
            std::optional<Record>& result = turn ? second : first;
            std::size_t& next = turn ? next_two : next_one;
            if (result.has_value()) {
                continue;
            }
            if (!p.running()) {
                p.begin(record(1, turn ? 0b010 : 0b001), three_files());
            }
            if (disks.cycle(p, node(turn ? 2 : 1), next++ % 3) == DiskPaxos::Event::kDecided) {
                result = p.chosen();
            }
        }
        if (first && second) {
            ++decided_by_both;
            ASSERT_EQ(*first, *second) << "order " << order;
        }
    }
    EXPECT_GT(decided_by_both, 100U);
}

}  // namespace
}  // namespace css::voting
