#include "voting/format/codec.h"

#include <algorithm>

#include "voting/format/contents.h"
#include "voting/format/envelope.h"

namespace css::voting {
namespace {

constexpr std::size_t kHeartbeatSize =
    4 + 1 + 1 + 1 + 1 + 4 + kParametersSize + 8 + 8 + 8 + 8 + 8 + 8 + kRecordSize;
constexpr std::size_t kBallotSize = 8 + 8 + 8 + kRecordSize;
constexpr std::size_t kKillSize = 4 + 1 + 1 + 1 + 1 + 8;
static_assert(kHeartbeatSize == 432);
static_assert(kHeartbeatSize <= kContentsSize);
static_assert(kBallotSize <= kContentsSize);
static_assert(kKillSize <= kContentsSize);

bool is_empty(const Heartbeat& h) {
    return h.unique == Unique{};
}
bool is_empty(const Ballot& b) {
    return b.instance == Incarnation{};
}
bool is_empty(const KillBlock& k) {
    return k.victim == Unique{};
}

bool is_consistent(const Heartbeat& h) {
    const auto state = static_cast<std::uint8_t>(h.state);
    return !is_empty(h) && state >= static_cast<std::uint8_t>(NodeState::kJoining) &&
           state <= static_cast<std::uint8_t>(NodeState::kResetting) && h.slots_read <= kNodesMax &&
           voting::is_consistent(h.promise) && voting::is_consistent(h.record);
}

bool is_consistent(const Ballot& b) {
    return !is_empty(b) && b.bal <= b.mbal && voting::is_consistent(b.record) &&
           (b.bal == 0 || b.record.incarnation == b.instance);
}

bool is_consistent(const KillBlock& k) {
    return !is_empty(k) && k.evictor.is_some() &&
           static_cast<std::uint8_t>(k.reason) <= kKillReasonMax;
}

void put(const Heartbeat& h, FieldWriter& to) {
    to.put(h.unique.value());
    to.put(static_cast<std::uint8_t>(h.state));
    to.put(static_cast<std::uint8_t>(h.standby));
    to.put(static_cast<std::uint8_t>(h.complete));
    to.put(h.slots_read);
    to.put(h.weight);
    put_parameters(h.promise, to);
    to.put(h.host.value());
    to.put(h.boot.value());
    to.put(h.sequence.value());
    to.put(h.connected.bits());
    to.put(h.doubt.bits());
    to.put(static_cast<std::uint64_t>(h.wall_clock_ns));
    put_record(h.record, to);
}

void get(FieldReader& from, Heartbeat& h) {
    h.unique = Unique{from.get<std::uint32_t>()};
    h.state = static_cast<NodeState>(from.get<std::uint8_t>());
    h.standby = from.get_flag();
    h.complete = from.get_flag();
    h.slots_read = from.get<std::uint8_t>();
    h.weight = from.get<std::uint32_t>();
    h.promise = get_parameters(from);
    h.host = HostId{from.get<std::uint64_t>()};
    h.boot = BootId{from.get<std::uint64_t>()};
    h.sequence = Sequence{from.get<std::uint64_t>()};
    h.connected = NodeSet{from.get<std::uint64_t>()};
    h.doubt = NodeSet{from.get<std::uint64_t>()};
    h.wall_clock_ns = static_cast<std::int64_t>(from.get<std::uint64_t>());
    get_record(from, h.record);
}

void put(const Ballot& b, FieldWriter& to) {
    to.put(b.instance.value());
    to.put(b.mbal);
    to.put(b.bal);
    put_record(b.record, to);
}

void get(FieldReader& from, Ballot& b) {
    b.instance = Incarnation{from.get<std::uint64_t>()};
    b.mbal = from.get<std::uint64_t>();
    b.bal = from.get<std::uint64_t>();
    get_record(from, b.record);
}

void put(const KillBlock& k, FieldWriter& to) {
    to.put(k.victim.value());
    to.put(static_cast<std::uint8_t>(k.evictor.value()));
    to.put(static_cast<std::uint8_t>(k.reason));
    to.put(static_cast<std::uint8_t>(k.confirmed));
    to.skip(1);
    to.put(k.incarnation.value());
}

void get(FieldReader& from, KillBlock& k) {
    k.victim = Unique{from.get<std::uint32_t>()};
    k.evictor = from.get_node();
    k.reason = static_cast<KillReason>(from.get<std::uint8_t>());
    k.confirmed = from.get_flag();
    from.skip_zeros(1);
    k.incarnation = Incarnation{from.get<std::uint64_t>()};
}

Envelope envelope_of(const SectorIdentity& identity, SectorKind kind, NodeNumber slot) {
    CSS_CHECK(slot.is_some());
    return {kind, static_cast<std::uint8_t>(slot.value()), identity.cluster, identity.file};
}

/// The contents of an empty value are zeros: a formatted slot looks the same in every version.
template <class Value>
void encode(const SectorIdentity& identity,
            SectorKind kind,
            NodeNumber slot,
            const Value& value,
            std::span<std::byte> sector) {
    CSS_CHECK(is_sector_size(identity.sector_size));
    CSS_CHECK(sector.size() == identity.sector_size);
    std::fill(sector.begin(), sector.end(), std::byte{0});
    if (is_empty(value)) {
        CSS_CHECK(value == Value{});
    } else {
        CSS_CHECK(is_consistent(value));
        FieldWriter contents{contents_of(sector)};
        put(value, contents);
    }
    seal(envelope_of(identity, kind, slot), sector);
}

template <class Value>
SectorVerdict decode(const SectorIdentity& identity,
                     SectorKind kind,
                     NodeNumber slot,
                     std::span<const std::byte> sector,
                     Value& out) {
    CSS_CHECK(is_sector_size(identity.sector_size));
    CSS_CHECK(sector.size() == identity.sector_size);
    const SectorVerdict verdict = check_envelope(envelope_of(identity, kind, slot), sector);
    if (verdict != SectorVerdict::kValid) {
        return verdict;
    }
    const std::span<const std::byte> contents = contents_of(sector);
    if (all_zero(contents)) {
        out = Value{};
        return SectorVerdict::kValid;
    }
    Value value;
    FieldReader reader{contents};
    get(reader, value);
    if (!reader.ends_well() || !is_consistent(value)) {
        return SectorVerdict::kMalformed;
    }
    out = value;
    return SectorVerdict::kValid;
}

}  // namespace

void encode_heartbeat(const SectorIdentity& identity,
                      NodeNumber slot,
                      const Heartbeat& value,
                      std::span<std::byte> sector) {
    encode(identity, SectorKind::kHeartbeat, slot, value, sector);
}

void encode_ballot(const SectorIdentity& identity,
                   NodeNumber slot,
                   const Ballot& value,
                   std::span<std::byte> sector) {
    encode(identity, SectorKind::kBallot, slot, value, sector);
}

void encode_kill(const SectorIdentity& identity,
                 NodeNumber slot,
                 const KillBlock& value,
                 std::span<std::byte> sector) {
    encode(identity, SectorKind::kKill, slot, value, sector);
}

SectorVerdict decode_heartbeat(const SectorIdentity& identity,
                               NodeNumber slot,
                               std::span<const std::byte> sector,
                               Heartbeat& out) {
    return decode(identity, SectorKind::kHeartbeat, slot, sector, out);
}

SectorVerdict decode_ballot(const SectorIdentity& identity,
                            NodeNumber slot,
                            std::span<const std::byte> sector,
                            Ballot& out) {
    return decode(identity, SectorKind::kBallot, slot, sector, out);
}

SectorVerdict decode_kill(const SectorIdentity& identity,
                          NodeNumber slot,
                          std::span<const std::byte> sector,
                          KillBlock& out) {
    return decode(identity, SectorKind::kKill, slot, sector, out);
}

const char* name_of(SectorVerdict verdict) {
    switch (verdict) {
        case SectorVerdict::kValid: return "valid";
        case SectorVerdict::kNotRead: return "not read";
        case SectorVerdict::kBadChecksum: return "bad checksum";
        case SectorVerdict::kBadMagic: return "bad magic";
        case SectorVerdict::kBadVersion: return "unknown format version";
        case SectorVerdict::kWrongKind: return "wrong kind of sector";
        case SectorVerdict::kWrongCluster: return "another cluster's";
        case SectorVerdict::kWrongFile: return "another voting file's";
        case SectorVerdict::kWrongSlot: return "another slot's";
        case SectorVerdict::kMalformed: return "malformed contents";
    }
    return "?";
}

}  // namespace css::voting
