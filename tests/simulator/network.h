#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "netbeat/wire/codec.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// One direction between two machines over one interconnect. Times are ends of faults.
struct Link {
    SimTime cut_until = 0;
    SimTime lossy_until = 0;
    unsigned loss_permille = 0;
    SimTime slow_until = 0;
    SimTime slow_by = 0;
    SimTime flaps_until = 0;
    SimTime flap_on = 0;  ///< Within each period: up for so long, then down.
    SimTime flap_period = 1;
};

/// What carries datagrams. Sealing is not simulated: what was altered on the way is decoded, for
/// the sake of the decoder, and dropped as not authentic; what is replayed passes, as it would.
class Network {
public:
    explicit Network(World& world);

    void send(Machine& from, const netbeat::Heartbeat& heartbeat);
    void on_datagram(const Event& event);
    /// An event that will never be delivered held a datagram.
    void drop(const Event& event) { release(event.argument); }

    [[nodiscard]] Link& link(unsigned interconnect, unsigned from, unsigned to) {
        return links_[(interconnect * machines_ + from) * machines_ + to];
    }
    /// All interconnects, one direction.
    void cut(unsigned from, unsigned to, SimTime until);
    void cut_both(unsigned a, unsigned b, SimTime until) {
        cut(a, b, until);
        cut(b, a, until);
    }
    void heal();
    void set_base_loss(unsigned permille) { base_loss_ = permille; }
    void replay_old(unsigned count);
    void forge(unsigned count);

    /// Some interconnect carries datagrams in this direction now.
    [[nodiscard]] bool carries_some(unsigned from, unsigned to) const;
    [[nodiscard]] bool linked(unsigned a, unsigned b) const {
        return carries_some(a, b) && carries_some(b, a);
    }
    /// The last time at which the newest heartbeat of one that the other had got was old enough
    /// for half a loss of their link (the echo takes both directions); kLongAgo: never.
    [[nodiscard]] SimTime long_silence(unsigned from, unsigned to) const;
    /// The present daemon of `to` has heard this instance of `from`.
    [[nodiscard]] bool has_heard(unsigned to, unsigned from, Unique unique) const {
        return heard_[to * machines_ + from].instance >= unique;
    }
    /// A new daemon: its silences begin now.
    void daemon_started(unsigned machine);

private:
    struct Datagram {
        unsigned users = 0;
        unsigned sender = 0;
        SimTime sent_at = 0;
        std::size_t size = 0;
        std::array<std::byte, netbeat::kPlainSizeMax> bytes{};
        netbeat::Heartbeat heartbeat;
    };
    struct Heard {
        SimTime newest_sent = 0;
        SimTime gap_seen = kLongAgo;
        Unique instance;  ///< The newest one that the present daemon has heard.
    };
    struct Old {
        unsigned sender = 0;
        std::size_t size = 0;
        std::array<std::byte, netbeat::kPlainSizeMax> bytes{};
    };

    unsigned new_datagram();
    void release(unsigned index);
    void send_over(unsigned interconnect, unsigned from, unsigned to, unsigned datagram);
    void deliver_later(unsigned datagram, unsigned to, SimTime delay);
    [[nodiscard]] bool carries(const Link& link) const;
    [[nodiscard]] SimTime delay_of(const Link& link);
    void remember(const Datagram& datagram);
    void note_heard(const Datagram& datagram, unsigned to);

    World& world_;
    unsigned machines_;
    unsigned base_loss_;
    SimTime gap_;  ///< From here on a silence is long.
    std::vector<Link> links_;
    std::vector<Heard> heard_;        ///< [to][from]
    std::deque<Datagram> datagrams_;  ///< Stay where they are: a step that takes one may send.
    std::vector<unsigned> free_;
    std::vector<Old> old_;  ///< A sample of all that was ever sent, for replays.
    std::uint64_t sent_ = 0;
};

}  // namespace css::sim
