#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "netbeat/wire/heartbeat.h"

namespace css::netbeat {

/// What is known of one node by network.
struct Peer {
    Unique unique;  ///< Of the newest heartbeat accepted; zero: none yet.
    Sequence sequence;
    Instant heard_at = kNever;
    NodeState state = NodeState::kJoining;
    bool standby = false;
    Incarnation record;  ///< Of that heartbeat.
    bool complete = false;
    Instant resetting_at = kNever;  ///< First heard RESETTING from `resetting_unique`.
    Unique resetting_unique;
    Unique ended_unique;   ///< Largest unique heard LEFT or FENCED.
    Unique fenced_unique;  ///< Largest unique heard FENCED.
    /// Receipt of the newest heartbeat of exactly `echoed_unique` that was ever echoed (E3's
    /// earliest `a`).
    Unique echoed_unique;
    Instant echoed_receipt = kNever;
};

/// What a heartbeat was good for.
enum class Accepted : std::uint8_t {
    kNot,    ///< Not newer than the newest heard.
    kAlive,  ///< A sign of life; of itself the sender says what it said before.
    kNews,   ///< Its unique, its state or its record is another than before.
};

/// Heartbeats heard, echoes sent and echoes received: the raw material of A(m), `connected` and
/// `doubt` (PROTOCOL 5). Pure bookkeeping.
class Links {
public:
    /// Takes an authentic heartbeat in, unless it is not newer than the newest (unique, sequence)
    /// heard from that sender: then it is ignored, also as a sign of life.
    Accepted accept(const Heartbeat& h, Instant now);
    /// Notes the echo of this instance in an accepted heartbeat.
    void accept_echo(Instance from, Sequence echoed);

    /// Notes the own heartbeat with this sequence as sent at `now`; the time is taken before
    /// sending.
    void sent(Sequence sequence, Instant now);
    /// Notes that the newest heartbeat heard of `n` is being echoed now.
    void echoed(NodeNumber n);
    /// Sent heartbeats older than this are no longer needed.
    void forget_sent_before(Instant time);

    [[nodiscard]] const Peer& peer(NodeNumber n) const { return peers_[n]; }
    /// When the newest own heartbeat that exactly this instance has echoed was sent; kNever if
    /// none.
    [[nodiscard]] Instant acknowledged(Instance m) const;

private:
    struct Acknowledged {
        Unique unique;
        Instant sent_at = kNever;
    };
    struct Sent {
        Sequence sequence;
        Instant at;
    };
    PerNode<Peer> peers_;
    /// Of a node: newest instance last, a few at most.
    struct Acknowledgements {
        std::array<Acknowledged, 4> of;
        std::size_t count = 0;
    };
    PerNode<Acknowledgements> acknowledged_;
    std::deque<Sent> sent_;
};

}  // namespace css::netbeat
