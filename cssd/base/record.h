#pragma once

#include "cssd/base/timing.h"
#include "cssd/base/types.h"

namespace css {

/// Why a record was proposed; for people, no rule reads it. Values are on disk: never renumber.
enum class RecordCause : std::uint8_t {
    kNone = 0,
    kFormation = 1,
    kJoin = 2,
    kLinkLost = 3,
    kLeave = 4,
    kStopped = 5,    ///< A member FENCED or RESETTING.
    kRestarted = 6,  ///< A member came back with a larger unique.
    kEvicted = 7,    ///< By hand.
    kParameters = 8,
    kVotingFiles = 9,
};
inline constexpr std::uint8_t kRecordCauseMax = 9;

/// A membership record (PROTOCOL 2). Decided once by Disk Paxos; never changes afterwards.
struct Record {
    Incarnation incarnation;
    NodeSet members;
    /// For every slot ever listed: of a member its own unique, of a former member the last listed.
    PerNode<Unique> unique;
    Parameters parameters;
    FileSet files;       ///< The voting files in force.
    FileSet files_next;  ///< While the set changes: the new set, counting jointly. Else empty.
    /// Of the headers that show these sets; one more with every change of them.
    std::uint64_t files_generation = 0;
    PerFile<FileTag> file_tags;  ///< Which file has the place: of those in the two sets, else zero.
    NodeNumber proposer;
    RecordCause cause = RecordCause::kNone;

    [[nodiscard]] bool lists(Instance i) const {
        return members.contains(i.node) && unique[i.node] == i.unique;
    }
    /// True when the instance can never be listed again: it was, or a later one of its number was,
    /// and it is not a member now. Its stop rule (b).
    [[nodiscard]] bool drops(Instance i) const { return unique[i.node] >= i.unique && !lists(i); }
    [[nodiscard]] Instance listed(NodeNumber n) const { return Instance{n, unique[n]}; }
    friend bool operator==(const Record&, const Record&) = default;
};

}  // namespace css
