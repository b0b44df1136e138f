#pragma once

#include "tests/simulator/options.h"

/// Small clusters with the faults that a broken rule needs to do harm. Each takes drawn options and
/// leaves nothing of them but the seed.
namespace css::sim::runs {

void alone_and_paused(Options& o);
void clean_cuts(Options& o);
void clones(Options& o);
void contention(Options& o);
void crashes(Options& o);
void cut_joiners(Options& o);
void disk_silence(Options& o);
void disks_apart(Options& o);
void echo_of_former(Options& o);
void eviction_at_last(Options& o);
void evictions(Options& o);
void file_changes(Options& o);
void foreign(Options& o);
void foreign_while_asleep(Options& o);
void foreign_while_a_starter_sleeps(Options& o);
void guardian_lost(Options& o);
void hung_joiner(Options& o);
void isolated_again(Options& o);
void judge_hung(Options& o);
void judge_read_hung(Options& o);
void judge_blind(Options& o);
void killed_at_ballot(Options& o);
void killed_at_decision(Options& o);
void late_writes(Options& o);
void left_and_back(Options& o);
void long_misscount(Options& o);
void misdirected(Options& o);
void newcomer(Options& o);
void one_file_missed(Options& o);
void one_way(Options& o);
void overtaken(Options& o);
void own_block_lost(Options& o);
void partial_cuts(Options& o);
void paused(Options& o);
void paused_after_record(Options& o);
void paused_after_resetting(Options& o);
void paused_at_decision(Options& o);
void paused_joiner(Options& o);
void read_hung(Options& o);
void replays(Options& o);
void restarts(Options& o);
void slow_and_left(Options& o);
void timeouts_change(Options& o);
void timeouts_shrink(Options& o);
void stopped_while_timeouts_shrink(Options& o);
void two_evictions(Options& o);
void two_starters(Options& o);
void wall_jumps(Options& o);
void slot_taken(Options& o);
void wandering_majority(Options& o);
void witness_leaves(Options& o);

}  // namespace css::sim::runs
