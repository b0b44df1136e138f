#include "tests/simulator/network.h"

#include <algorithm>

#include "tests/simulator/runtime.h"

namespace css::sim {
namespace {

constexpr std::size_t kOldKept = 64;

/// An echo that is missing for misscount means a silence of half of that in one direction, less
/// what the next heartbeat waits.
SimTime long_gap(const Options& options) {
    Duration gap = options.initial().misscount;
    for (const Parameters& p : options.palette) {
        gap = std::min(gap, Duration{p.misscount} / 2 - interval(options.largest()));
    }
    return gap.count();
}

}  // namespace

Network::Network(World& world)
    : world_(world),
      machines_(world.nodes() + 1),
      base_loss_(world.options.loss_permille),
      gap_(long_gap(world.options)) {
    links_.resize(std::size_t{world.options.interconnects} * machines_ * machines_);
    heard_.resize(std::size_t{machines_} * machines_);
}

void Network::send(Machine& from, const netbeat::Heartbeat& heartbeat) {
    const unsigned index = new_datagram();
    Datagram& datagram = datagrams_[index];
    datagram.sender = from.index;
    datagram.sent_at = world_.now;
    datagram.size = netbeat::encode(heartbeat, datagram.bytes);
    const netbeat::PlainVerdict verdict = netbeat::decode(
        std::span<const std::byte>{datagram.bytes}.first(datagram.size), datagram.heartbeat);
    CSS_CHECK(verdict == netbeat::PlainVerdict::kValid);
    datagram.users = 1;
    ++world_.counters.datagrams;
    if (world_.faults_on) {
        remember(datagram);
    }
    for (unsigned to = 0; to < machines_; ++to) {
        if (to == from.index || !world_.machines[to].on) {
            continue;
        }
        for (unsigned i = 0; i < world_.options.interconnects; ++i) {
            send_over(i, from.index, to, index);
        }
    }
    release(index);
}

void Network::send_over(unsigned interconnect, unsigned from, unsigned to, unsigned datagram) {
    const Link& way = link(interconnect, from, to);
    if (!carries(way)) {
        return;
    }
    if (world_.faults_on || base_loss_ != 0) {
        const unsigned loss =
            std::max(base_loss_, way.lossy_until > world_.now ? way.loss_permille : 0);
        if (loss != 0 && world_.prng_network.chance(loss, 1000)) {
            return;
        }
    }
    deliver_later(datagram, to, delay_of(way));
    const unsigned twice = world_.faults_on ? world_.options.duplicate_permille : 0;
    if (twice != 0 && world_.prng_network.chance(twice, 1000)) {
        deliver_later(datagram, to, delay_of(way));
    }
}

void Network::deliver_later(unsigned datagram, unsigned to, SimTime delay) {
    ++datagrams_[datagram].users;
    const Machine& machine = world_.machines[to];
    // For whichever daemon is there when it arrives: the port is the node's.
    world_.at(world_.now + delay, EventKind::kDatagram, to, machine.life, datagram);
}

void Network::on_datagram(const Event& event) {
    Machine& machine = world_.machines[event.machine];
    const Datagram& datagram = datagrams_[event.argument];
    if (machine.daemon.arbiter != nullptr && datagram.heartbeat.sender.node != machine.number) {
        note_heard(datagram, event.machine);
    }
    if (machine.daemon.arbiter != nullptr) {
        core::HeartbeatReceived received;
        received.heartbeat = &datagram.heartbeat;
        world_.runtime->step(machine, received);
    }
    release(event.argument);
}

bool Network::carries(const Link& link) const {
    if (link.cut_until > world_.now) {
        return false;
    }
    return link.flaps_until <= world_.now || world_.now % link.flap_period < link.flap_on;
}

SimTime Network::delay_of(const Link& link) {
    const Options& options = world_.options;
    SimTime delay = world_.prng_network.range(options.network_delay_min, options.network_delay_max);
    if (link.slow_until > world_.now) {
        delay += world_.prng_network.range(0, link.slow_by);
    }
    const unsigned reorder = world_.faults_on ? options.reorder_permille : 0;
    if (reorder != 0 && world_.prng_network.chance(reorder, 1000)) {
        delay += world_.prng_network.range(0, 2 * world_.beat().count());
    }
    return delay;
}

void Network::cut(unsigned from, unsigned to, SimTime until) {
    for (unsigned i = 0; i < world_.options.interconnects; ++i) {
        Link& way = link(i, from, to);
        way.cut_until = std::max(way.cut_until, until);
    }
}

void Network::heal() {
    std::fill(links_.begin(), links_.end(), Link{});
}

bool Network::carries_some(unsigned from, unsigned to) const {
    for (unsigned i = 0; i < world_.options.interconnects; ++i) {
        if (carries(links_[(i * machines_ + from) * machines_ + to])) {
            return true;
        }
    }
    return false;
}

// ------------------------------------------------------------- replays and forged datagrams

void Network::remember(const Datagram& datagram) {
    ++sent_;
    const bool room = old_.size() < kOldKept;
    if (!room && !world_.prng_network.chance(1, 16)) {
        return;
    }
    if (room) {
        old_.emplace_back();
    }
    Old& kept = room ? old_.back() : old_[world_.prng_network.index(kOldKept)];
    kept.sender = datagram.sender;
    kept.size = datagram.size;
    std::copy_n(datagram.bytes.begin(), datagram.size, kept.bytes.begin());
}

void Network::replay_old(unsigned count) {
    for (unsigned i = 0; i < count && !old_.empty(); ++i) {
        const unsigned index = new_datagram();
        Datagram& datagram = datagrams_[index];
        const Old& source = old_[world_.prng_network.index(old_.size())];
        datagram.size = source.size;
        datagram.bytes = source.bytes;
        const netbeat::PlainVerdict verdict = netbeat::decode(
            std::span<const std::byte>{datagram.bytes}.first(datagram.size), datagram.heartbeat);
        CSS_CHECK(verdict == netbeat::PlainVerdict::kValid);
        const unsigned to = world_.prng_network.index(world_.nodes());
        // Whoever has never got the first copy hears the sender by this one, but it is not a sign
        // of life.
        datagram.sender = source.sender;
        datagram.sent_at = 0;
        datagram.users = 1;
        deliver_later(index, to, delay_of(link(0, to, to)));
        release(index);
    }
}

void Network::forge(unsigned count) {
    for (unsigned i = 0; i < count && !old_.empty(); ++i) {
        Old forged = old_[world_.prng_network.index(old_.size())];
        const unsigned changes = 1 + world_.prng_network.index(8);
        for (unsigned c = 0; c < changes; ++c) {
            const unsigned where = world_.prng_network.index(forged.size);
            forged.bytes[where] = static_cast<std::byte>(world_.prng_network.below(256));
        }
        const std::size_t length = 1 + world_.prng_network.index(forged.size);
        netbeat::Heartbeat heartbeat;
        // Whatever it says, it is not authentic and goes no further.
        const netbeat::PlainVerdict verdict =
            netbeat::decode(std::span<const std::byte>{forged.bytes}.first(
                                world_.prng_network.coin() ? forged.size : length),
                            heartbeat);
        world_.trace.mix(static_cast<std::uint64_t>(verdict));
    }
}

// ------------------------------------------------------------------------ who heard whom

void Network::note_heard(const Datagram& datagram, unsigned to) {
    Heard& heard = heard_[to * machines_ + datagram.sender];
    heard.instance = std::max(heard.instance, datagram.heartbeat.sender.unique);
    if (datagram.sent_at <= heard.newest_sent) {
        return;
    }
    if (world_.now - heard.newest_sent > gap_) {
        heard.gap_seen = world_.now;
    }
    heard.newest_sent = datagram.sent_at;
}

SimTime Network::long_silence(unsigned from, unsigned to) const {
    const Heard& heard = heard_[to * machines_ + from];
    return world_.now - heard.newest_sent > gap_ ? world_.now : heard.gap_seen;
}

void Network::daemon_started(unsigned machine) {
    for (unsigned other = 0; other < machines_; ++other) {
        for (Heard* heard :
             {&heard_[machine * machines_ + other], &heard_[other * machines_ + machine]}) {
            // A silence that the former daemon left behind may still be the reason of a departure.
            if (world_.now - heard->newest_sent > gap_) {
                heard->gap_seen = world_.now;
            }
            heard->newest_sent = world_.now;
        }
        heard_[machine * machines_ + other].instance = Unique{};
    }
}

unsigned Network::new_datagram() {
    if (free_.empty()) {
        free_.push_back(static_cast<unsigned>(datagrams_.size()));
        datagrams_.emplace_back();
    }
    const unsigned index = free_.back();
    free_.pop_back();
    return index;
}

void Network::release(unsigned index) {
    CSS_CHECK(datagrams_[index].users > 0);
    if (--datagrams_[index].users == 0) {
        free_.push_back(index);
    }
}

}  // namespace css::sim
