#pragma once

#include "cssd/base/record.h"
#include "cssd/base/types.h"

namespace css::netbeat {

/// What the sender last heard of one node (PROTOCOL 5). Sequence zero: nothing was heard of exactly
/// this instance (it is only the largest unique known), or it is no longer echoed.
struct Echo {
    Unique unique;
    Sequence sequence;
    friend bool operator==(const Echo&, const Echo&) = default;
};

/// A network heartbeat, as it is before sealing and after opening. One per interval to every other
/// configured node over every configured interconnect, the same bytes to all.
struct Heartbeat {
    Instance sender;
    Sequence sequence;
    NodeState state = NodeState::kJoining;
    bool standby = false;
    bool complete = false;
    std::uint32_t weight = 1;
    NodeSet connected;
    NodeSet doubt;
    /// Members that are asked to leave cleanly (`crsctl stop cluster`); counts only at a receiver
    /// that `record` lists and that holds the same incarnation.
    NodeSet stop_requested;
    Record record;       ///< Stands in the sender's own H on a majority.
    PerNode<Echo> echo;  ///< Own entry unused.
    friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

}  // namespace css::netbeat
