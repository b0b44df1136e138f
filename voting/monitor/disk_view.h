#pragma once

#include <span>
#include <vector>

#include "cssd/base/record.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "voting/format/sectors.h"
#include "voting/quorum/quorum.h"

namespace css::voting {

/// When a read showed something: it began after `begin` and had ended by `end`.
struct ReadTime {
    Instant begin = kNever;
    Instant end = kNever;
};

/// What one file is known to hold in one slot.
struct SlotOnFile {
    bool heartbeat_readable = false;  ///< In the newest read.
    bool kill_readable = false;       ///< In the newest read.
    bool seen = false;                ///< `heartbeat` was read at least once.
    Heartbeat heartbeat;              ///< The newest valid one read here.
    ReadTime first_shown;             ///< The first read that showed it.
    ReadTime last_shown;              ///< The newest read that showed it.
    KillBlock kill;                   ///< The newest valid one read here.
    Instant previous_shown = kNever;  ///< Begin of the newest read that showed the one before.
    /// Begin of the newest read that showed the one before that. This heartbeat was composed after
    /// it: a node has one write in flight to a file, and the write before landed later than that.
    Instant composed_after = kNever;

    /// Since when an H is known to stand on this file that drops the instance that this slot's
    /// node last had in a record, and which instance that is (PROTOCOL 7.6, E3 and E6).
    Instant dropped_since = kNever;
    Unique dropped_unique;
    /// A read begun after `dropped_since` showed the slot not ACTIVE or RESETTING of it (E6).
    bool never_acted = false;
};

/// What is known of one node by disk, over all files.
struct NodeOnDisk {
    Unique unique;  ///< Of the newest (unique, sequence) read on any file.
    Sequence sequence;
    Instant moved_at = kNever;  ///< Last time that the newest (unique, sequence) grew. One
                                ///< sighting proves nothing, two different ones prove life.
    Instant ended_at = kNever;  ///< First time `ended_unique` was read LEFT or FENCED.
    Unique ended_unique;
    Unique fenced_unique;           ///< Largest unique read FENCED.
    Instant resetting_at = kNever;  ///< First time `resetting_unique` was read RESETTING.
    Unique resetting_unique;
    /// Every unique below this is known gone by E2 (a majority of files shows this one or a larger
    /// one), since that time.
    Unique replaced_below;
    Instant replaced_at = kNever;
    /// The instance `reads_unique` reads at least the slots 1..reads_slots in every cycle.
    Unique reads_unique;
    unsigned reads_slots = 0;
};

/// All that reads of the voting files have shown. Pure bookkeeping: it takes no decision.
/// Cost of a read is in the slots that changed.
class DiskView {
public:
    explicit DiskView(unsigned slots_max);

    enum class Change : std::uint8_t {
        kNone,
        kAlive,      ///< It moved, but says what it said before.
        kHeartbeat,  ///< It says something new.
        kFirst,
    };

    /// Notes slot `n` of a read of `file`. Returns whether its heartbeat is another than before.
    Change observe(FileIndex file, NodeNumber n, const SlotView& slot, ReadTime time);

    /// Recomputes `replaced_below` of a node after observe() returned a change.
    void update_replaced(NodeNumber n, Quorum quorum, Instant now);

    /// After a read of `file`: the victims of `record`, if an H that drops them stands there.
    /// `own` says whether own H stands on the file by this very read.
    struct DropScan {
        FileIndex file;
        NodeNumber self;
        bool own_stands = false;
        ReadTime time;
    };
    void note_drops(const Record& record, NodeSet former, const DropScan& scan);

    /// Another file has the place: nothing that was read there counts for it.
    void forget(FileIndex file);

    [[nodiscard]] const SlotOnFile& at(FileIndex file, NodeNumber n) const {
        return slots_[file][n.index()];
    }
    [[nodiscard]] const NodeOnDisk& node(NodeNumber n) const { return nodes_[n]; }
    /// Highest slot that any read found written.
    [[nodiscard]] unsigned slot_written_max() const { return slot_written_max_; }

    /// Files whose newest read of slot `n` began at or after `since`, found it readable, and showed
    /// what an earlier one had shown that ended so long before it. What a file shows once may be of
    /// any time.
    [[nodiscard]] FileSet unmoved(FileSet files,
                                  NodeNumber n,
                                  Duration length,
                                  Instant since) const;

private:
    void observe_node(NodeNumber n, const Heartbeat& h, bool seen_here_before, Instant now);

    PerFile<std::vector<SlotOnFile>> slots_;
    PerNode<NodeOnDisk> nodes_;
    unsigned slot_written_max_ = 0;
};

}  // namespace css::voting
