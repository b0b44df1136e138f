#include "kill_block/confirm.h"

#include <gtest/gtest.h>

namespace css::kill_block {
namespace {

using std::chrono::seconds;

Instant at(double s) {
    return Instant{} + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

/// Three files, node 3 as victim, time-outs 30/200/3; its H has not moved since t=100 on any file.
Evidence silent_victim() {
    Evidence e;
    e.victim = Instance{NodeNumber{3}, Unique{7}};
    e.quorum = voting::Quorum{FileSet{0b111}, FileSet{}};
    for (std::size_t f = 0; f < 3; ++f) {
        FileEvidence& file = e.files[FileIndex::from_index(f)];
        file.shown = true;
        file.unchanged_since = at(100);
        file.unchanged_until = at(100);
    }
    e.misscount = seconds{30};
    e.disktimeout = seconds{200};
    e.reboottime = seconds{3};
    return e;
}
FileEvidence& file(Evidence& e, std::size_t f) {
    return e.files[FileIndex::from_index(f)];
}
void read_all(Evidence& e, Instant begin) {
    for (std::size_t f = 0; f < 3; ++f) {
        file(e, f).unchanged_until = begin;
    }
}
void own_witness(Evidence& e) {
    e.witnesses.push_back(Witness{at(50), kNever});
}

TEST(Confirm, NothingKnownConfirmsNothing) {
    Evidence e = silent_victim();
    EXPECT_EQ(judge(e, at(120)).rule, ConfirmRule::kNone);
}

TEST(Confirm, KillBlockAndE1AndE2AreFacts) {
    Evidence k = silent_victim();
    k.kill_block_confirmed = true;
    EXPECT_EQ(judge(k, at(100)).rule, ConfirmRule::kKillBlock);
    Evidence e1 = silent_victim();
    e1.ended = true;
    EXPECT_EQ(judge(e1, at(100)).rule, ConfirmRule::kE1);
    Evidence e2 = silent_victim();
    e2.replaced = true;
    EXPECT_EQ(judge(e2, at(100)).rule, ConfirmRule::kE2);
}

TEST(Confirm, E3ShortAfterOneStretchedMisscount) {
    Evidence e = silent_victim();
    own_witness(e);
    read_all(e, at(130.05));
    EXPECT_EQ(judge(e, at(130.05)).rule, ConfirmRule::kNone) << "0.2 % are missing";
    read_all(e, at(130.07));
    EXPECT_EQ(judge(e, at(130.07)).rule, ConfirmRule::kE3Short);
}

TEST(Confirm, E3NeedsAReadBegunAfterTheWindow) {
    Evidence e = silent_victim();
    own_witness(e);
    read_all(e, at(129));
    EXPECT_EQ(judge(e, at(140)).rule, ConfirmRule::kNone);
    EXPECT_EQ(judge(e, at(120)).look_again, at(100) + stretched(seconds{30}));
}

TEST(Confirm, E3NeedsAMajorityOfFilesInOneWindow) {
    Evidence e = silent_victim();
    own_witness(e);
    file(e, 0).unchanged_until = at(131);
    EXPECT_EQ(judge(e, at(131)).rule, ConfirmRule::kNone);
    file(e, 1).unchanged_since = at(125);  // Silent for long enough, but in another window.
    file(e, 1).unchanged_until = at(156);
    EXPECT_EQ(judge(e, at(156)).rule, ConfirmRule::kNone);
    file(e, 0).unchanged_until = at(156);
    EXPECT_EQ(judge(e, at(156)).rule, ConfirmRule::kE3Short);
}

// PROTOCOL 7, Voting files. The judge read files 2 and 3 long before they counted, when the victim
// had not written them; it renewed its lease on the old set all the while.
TEST(Confirm, E3NeedsReadsBegunSinceTheQuorumIsTheOneItIs) {
    Evidence e = silent_victim();
    own_witness(e);
    read_all(e, at(140));
    e.quorum_since = at(145);
    EXPECT_EQ(judge(e, at(150)).rule, ConfirmRule::kNone);
    EXPECT_EQ(judge(e, at(500)).rule, ConfirmRule::kNone);
    read_all(e, at(145));
    EXPECT_EQ(judge(e, at(150)).rule, ConfirmRule::kE3Short);
}

TEST(Confirm, E3WindowStartsAfterTheNewestEchoedHeartbeat) {
    Evidence e = silent_victim();
    own_witness(e);
    e.echoed_receipt = at(110);
    read_all(e, at(131));
    EXPECT_EQ(judge(e, at(131)).rule, ConfirmRule::kNone) << "it was echoed at 110";
    read_all(e, at(140.1));
    EXPECT_EQ(judge(e, at(140.1)).rule, ConfirmRule::kE3Short);
}

TEST(Confirm, E3WindowStartsAfterTheAdoptionWasShownAndTheWitnessWasGone) {
    Evidence e = silent_victim();
    e.witnesses.push_back(Witness{at(105), kNever});
    read_all(e, at(131));
    EXPECT_EQ(judge(e, at(131)).rule, ConfirmRule::kNone);
    e.witnesses = {Witness{at(50), at(112)}};
    EXPECT_EQ(judge(e, at(131)).rule, ConfirmRule::kNone);
    read_all(e, at(142.1));
    EXPECT_EQ(judge(e, at(142.1)).rule, ConfirmRule::kE3Short);
}

TEST(Confirm, AVictimThatKeepsWritingIsDroppedOnThoseFiles) {
    Evidence e = silent_victim();
    own_witness(e);
    for (std::size_t f = 0; f < 3; ++f) {
        file(e, f).unchanged_since = at(139);  // It still writes.
        file(e, f).unchanged_until = at(139);
    }
    file(e, 0).dropped_since = at(105);
    EXPECT_EQ(judge(e, at(140)).rule, ConfirmRule::kNone);
    file(e, 2).dropped_since = at(106);
    EXPECT_EQ(judge(e, at(136)).rule, ConfirmRule::kNone) << "the window is not over";
    EXPECT_EQ(judge(e, at(136.07)).rule, ConfirmRule::kE3Short);
}

TEST(Confirm, E3LongNeedsNoWitness) {
    Evidence e = silent_victim();
    read_all(e, at(303.3));
    EXPECT_EQ(judge(e, at(303.3)).rule, ConfirmRule::kNone);
    read_all(e, at(303.5));
    EXPECT_EQ(judge(e, at(303.5)).rule, ConfirmRule::kE3Long);
}

TEST(Confirm, E5AfterReboottime) {
    Evidence e = silent_victim();
    e.resetting_at = at(101);
    EXPECT_EQ(judge(e, at(104)).rule, ConfirmRule::kNone);
    EXPECT_EQ(judge(e, at(104)).look_again, at(101) + stretched(seconds{3}));
    EXPECT_EQ(judge(e, at(104.01)).rule, ConfirmRule::kE5);
}

TEST(Confirm, E6NeedsAMajorityOfFiles) {
    Evidence e = silent_victim();
    file(e, 1).never_acted = true;
    EXPECT_EQ(judge(e, at(101)).rule, ConfirmRule::kNone);
    file(e, 2).never_acted = true;
    EXPECT_EQ(judge(e, at(101)).rule, ConfirmRule::kE6);
}

TEST(Confirm, APathThatNeverShowedTheSlotProvesNothing) {
    Evidence e = silent_victim();
    own_witness(e);
    read_all(e, at(500));
    file(e, 0).shown = false;
    file(e, 1).shown = false;
    EXPECT_EQ(judge(e, at(500)).rule, ConfirmRule::kNone);
}

}  // namespace
}  // namespace css::kill_block
