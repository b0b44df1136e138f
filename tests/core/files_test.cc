#include <gtest/gtest.h>

#include "cssd/core/arbiter.h"

/// A record names its voting files by place *and* tag: what else is open at a place counts for
/// nothing. (How the set changes is told by the scripts in tests/interaction.)
namespace css::core {
namespace {

constexpr FileTag kOld{11};
constexpr FileTag kNew{22};

FileIndex place(std::size_t i) {
    return FileIndex::from_index(i);
}

/// A starting node 1 of a cluster with one file, at place 0.
class FilesTest : public testing::Test {
protected:
    FilesTest() {
        ArbiterOptions o;
        o.self = NodeNumber{1};
        o.configured = NodeSet::of(NodeNumber{1});
        o.slots_max = 2;
        o.genesis.files = FileSet::of(place(0));
        o.genesis.file_tags[place(0)] = kOld;
        o.genesis.files_generation = 1;
        o.former_gone = true;
        o.wall_seconds = 1000;
        arbiter_.emplace(now_, o);
        view_.resize(2);
        for (SlotView& slot : view_) {
            slot.heartbeat_verdict = SectorVerdict::kValid;
            slot.ballot_verdict = SectorVerdict::kValid;
            slot.kill_verdict = SectorVerdict::kValid;
        }
    }

    /// The cycles ordered by this step.
    std::vector<CycleOrder> step(const Input& input) {
        now_ += std::chrono::seconds{1};
        arbiter_->step(now_, input);
        return arbiter_->take_output().cycles;
    }

    /// What node 2 has published on the file: a record with this file at place 1.
    void publish_change(FileTag tag = kNew, Incarnation incarnation = Incarnation{7}) {
        voting::Heartbeat& h = view_[1].heartbeat;
        h.unique = Unique{500};
        h.sequence = Sequence{incarnation.value()};
        h.state = NodeState::kActive;
        h.record.incarnation = incarnation;
        h.record.members = NodeSet::of(NodeNumber{2});
        h.record.unique[NodeNumber{2}] = Unique{500};
        h.record.files = FileSet::of(place(0));
        h.record.files_next = FileSet::of(place(1));
        h.record.file_tags[place(0)] = kOld;
        h.record.file_tags[place(1)] = tag;
        h.record.files_generation = incarnation.value();
    }
    std::vector<CycleOrder> finish(const CycleOrder& order) {
        return step(CycleFinished{.file = order.file, .id = order.id, .slots = view_});
    }

    Instant now_{std::chrono::seconds{1}};
    std::optional<Arbiter> arbiter_;
    std::vector<SlotView> view_;
};

TEST_F(FilesTest, AnotherFileAtAPlaceOfTheRecordIsNotUsed) {
    EXPECT_TRUE(step(FileOpened{place(0), kNew, 1}).empty());
    EXPECT_EQ(arbiter_->status(now_).files[place(0)].state, FileState::kOffline);
    EXPECT_EQ(step(FileOpened{place(0), kOld, 1}).size(), 1U);
}

TEST_F(FilesTest, AFileThatNoRecordNamesIsReadAndWrittenToo) {
    EXPECT_EQ(step(FileOpened{place(5), kNew, 1}).size(), 1U);
}

TEST_F(FilesTest, AFileThatTheRecordTurnsOutNotToMeanIsForgotten) {
    const auto first = step(FileOpened{place(0), kOld, 1});
    ASSERT_EQ(first.size(), 1U);
    const auto offered = step(FileOpened{place(1), kOld, 1});  // Formatted by somebody else.
    ASSERT_EQ(offered.size(), 1U);
    publish_change();
    finish(first.front());
    EXPECT_EQ(arbiter_->status(now_).newest.files_generation, 7U);
    EXPECT_EQ(arbiter_->status(now_).files[place(1)].state, FileState::kOffline);
    // Its cycle was under way and counts for nothing, nor is there another.
    EXPECT_TRUE(finish(offered.front()).empty());
    EXPECT_EQ(arbiter_->status(now_).refusal, StartRefusal::kNoMajority);
    EXPECT_EQ(step(FileOpened{place(1), kNew, 2}).size(), 1U);
}

/// Found by the simulator: a starting daemon learns records as it reads them, also one from before
/// the place got the file that the shell has open there. It waited for ever.
TEST_F(FilesTest, AFileThatAnOlderRecordDidNotMeanIsUsedWhenALaterOneDoes) {
    const auto first = step(FileOpened{place(0), kOld, 1});
    const auto offered = step(FileOpened{place(1), kNew, 1});
    ASSERT_EQ(first.size(), 1U);
    ASSERT_EQ(offered.size(), 1U);
    publish_change(kOld, Incarnation{6});
    const auto again = finish(first.front());
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again.front().file, place(0));
    EXPECT_TRUE(finish(offered.front()).empty());
    publish_change(kNew, Incarnation{7});
    const auto both = finish(again.front());
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both.back().file, place(1));
}

}  // namespace
}  // namespace css::core
