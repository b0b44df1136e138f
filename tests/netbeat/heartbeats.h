#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "netbeat/wire/codec.h"
#include "netbeat/wire/heartbeat.h"

namespace css::netbeat {

/// SplitMix64: the same numbers with every library.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t end) { return next() % end; }
    std::uint32_t unique() { return static_cast<std::uint32_t>(1 + below(0xffff'ffffU)); }
    /// Sets from empty over sparse to full, so that all sizes come up.
    NodeSet nodes() {
        switch (below(4)) {
            case 0: return NodeSet{};
            case 1: return NodeSet{next() & next() & next()};
            case 2: return NodeSet{next()};
            default: return NodeSet{~std::uint64_t{0}};
        }
    }

private:
    std::uint64_t state_;
};

/// Any heartbeat that the format allows.
inline Heartbeat random_heartbeat(Random& random) {
    Heartbeat h;
    h.sender =
        Instance{NodeNumber{static_cast<unsigned>(1 + random.below(64))}, Unique{random.unique()}};
    h.sequence = Sequence{1 + random.below(~std::uint64_t{0})};
    h.state = static_cast<NodeState>(1 + random.below(5));
    h.standby = random.below(2) == 1;
    h.complete = random.below(2) == 1;
    h.weight = static_cast<std::uint32_t>(random.next());
    h.connected = random.nodes();
    h.doubt = random.nodes();
    h.stop_requested = random.nodes();
    h.record.incarnation = Incarnation{1 + random.below(~std::uint64_t{0})};
    const NodeSet listed = random.nodes();
    for (const NodeNumber n : listed) {
        h.record.unique[n] = Unique{random.unique()};
    }
    h.record.members = listed & random.nodes();
    const auto reboot = 1 + random.below(1'000'000);
    const auto misscount = reboot + 1 + random.below(1'000'000);
    h.record.parameters.reboottime = std::chrono::milliseconds{reboot};
    h.record.parameters.misscount = std::chrono::milliseconds{misscount};
    h.record.parameters.disktimeout =
        std::chrono::milliseconds{misscount + 1 + random.below(1'000'000)};
    h.record.files = FileSet{static_cast<std::uint16_t>(random.below(1U << 15))};
    h.record.files_next = FileSet{static_cast<std::uint16_t>(random.below(1U << 15))};
    h.record.files_generation = random.next();
    for (const FileIndex f : h.record.files | h.record.files_next) {
        h.record.file_tags[f] = FileTag{random.unique()};
    }
    const auto proposer = static_cast<unsigned>(random.below(65));
    h.record.proposer = proposer == 0 ? NodeNumber{} : NodeNumber{proposer};
    h.record.cause = static_cast<RecordCause>(random.below(kRecordCauseMax + 1U));
    for (const NodeNumber n : random.nodes() - NodeSet::of(h.sender.node)) {
        h.echo[n] =
            Echo{Unique{random.unique()}, Sequence{random.below(4) == 0 ? 0 : random.next()}};
    }
    return h;
}

/// A member of a settled cluster of the nodes 1..`nodes`, that hears all the others.
inline Heartbeat member_heartbeat(NodeNumber sender, unsigned nodes, std::uint64_t sequence) {
    Heartbeat h;
    h.sender = Instance{sender, Unique{1'700'000'000U + sender.value()}};
    h.sequence = Sequence{sequence};
    h.state = NodeState::kActive;
    h.complete = true;
    h.record.incarnation = Incarnation{nodes};
    h.record.files = FileSet{7};
    h.record.files_generation = 1;
    for (const FileIndex f : h.record.files) {
        h.record.file_tags[f] = FileTag{0x100U + static_cast<unsigned>(f.index())};
    }
    h.record.proposer = NodeNumber{1};
    h.record.cause = RecordCause::kJoin;
    for (unsigned number = 1; number <= nodes; ++number) {
        const NodeNumber n{number};
        h.record.members.insert(n);
        h.record.unique[n] = Unique{1'700'000'000U + number};
        if (n != sender) {
            h.connected.insert(n);
            h.echo[n] = Echo{h.record.unique[n], Sequence{sequence + number}};
        }
    }
    return h;
}

inline std::vector<std::byte> plain_of(const Heartbeat& heartbeat) {
    std::vector<std::byte> bytes(kPlainSizeMax);
    bytes.resize(encode(heartbeat, bytes));
    return bytes;
}

}  // namespace css::netbeat
