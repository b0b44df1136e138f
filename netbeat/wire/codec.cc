#include "netbeat/wire/codec.h"

#include <limits>

#include "cssd/base/check.h"
#include "netbeat/wire/bytes.h"

namespace css::netbeat {

namespace {

constexpr std::uint8_t kFlagStandby = 1;
constexpr std::uint8_t kFlagComplete = 2;
constexpr std::uint8_t kFlagsAll = kFlagStandby | kFlagComplete;
constexpr std::uint16_t kFilesAll = (1U << kFilesMax) - 1;

/// The fixed head as it is on the wire: raw numbers, nothing checked yet.
struct Head {
    std::uint8_t version = kPlainVersion;
    std::uint8_t state = 0;
    std::uint8_t flags = 0;
    std::uint8_t sender = 0;
    std::uint32_t unique = 0;
    std::uint64_t sequence = 0;
    std::uint32_t weight = 0;
    std::uint64_t connected = 0;
    std::uint64_t doubt = 0;
    std::uint64_t stop_requested = 0;
    std::uint64_t echoed = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t members = 0;
    std::uint64_t listed = 0;
    std::uint32_t misscount_ms = 0;
    std::uint32_t disktimeout_ms = 0;
    std::uint32_t reboottime_ms = 0;
    std::uint16_t files = 0;
    std::uint16_t files_next = 0;
    std::uint8_t proposer = 0;
    std::uint8_t cause = 0;
    std::uint64_t files_generation = 0;

    /// The one list of fields and their order: visits each with put or get.
    template <class Self, class Visit>
    static void each(Self& head, Visit&& visit) {
        visit(head.version);
        visit(head.state);
        visit(head.flags);
        visit(head.sender);
        visit(head.unique);
        visit(head.sequence);
        visit(head.weight);
        visit(head.connected);
        visit(head.doubt);
        visit(head.stop_requested);
        visit(head.echoed);
        visit(head.incarnation);
        visit(head.members);
        visit(head.listed);
        visit(head.misscount_ms);
        visit(head.disktimeout_ms);
        visit(head.reboottime_ms);
        visit(head.files);
        visit(head.files_next);
        visit(head.proposer);
        visit(head.cause);
        visit(head.files_generation);
    }

    [[nodiscard]] FileSet named() const {
        return FileSet{static_cast<std::uint16_t>((files | files_next) & kFilesAll)};
    }
    [[nodiscard]] std::size_t size_with_entries() const {
        return kPlainHeadSize + NodeSet{listed}.count() * kPlainUniqueSize +
               named().count() * kPlainTagSize + NodeSet{echoed}.count() * kPlainEchoSize;
    }
};
static_assert(kPlainHeadSize == 4 + 4 + 8 + 4 + 4 * 8 + 3 * 8 + 3 * 4 + 2 * 2 + 2 + 8);
static_assert(kPlainSizeMax == 1174);

std::uint32_t milliseconds_of(std::chrono::milliseconds time) {
    CSS_CHECK(time.count() > 0);
    CSS_CHECK(time.count() <= std::numeric_limits<std::uint32_t>::max());
    return static_cast<std::uint32_t>(time.count());
}

template <class T, class IsSome>
std::uint64_t bits_of(const PerNode<T>& all, IsSome is_some) {
    std::uint64_t bits = 0;
    std::uint64_t bit = 1;
    for (const T& one : all) {
        bits |= is_some(one) ? bit : 0;
        bit <<= 1;
    }
    return bits;
}

Head head_of(const Heartbeat& heartbeat) {
    const Record& record = heartbeat.record;
    Head head;
    head.state = static_cast<std::uint8_t>(heartbeat.state);
    head.flags = static_cast<std::uint8_t>((heartbeat.standby ? kFlagStandby : 0) |
                                           (heartbeat.complete ? kFlagComplete : 0));
    head.sender = static_cast<std::uint8_t>(heartbeat.sender.node.value());
    head.unique = heartbeat.sender.unique.value();
    head.sequence = heartbeat.sequence.value();
    head.weight = heartbeat.weight;
    head.connected = heartbeat.connected.bits();
    head.doubt = heartbeat.doubt.bits();
    head.stop_requested = heartbeat.stop_requested.bits();
    head.echoed = bits_of(heartbeat.echo, [](const Echo& echo) { return echo.unique != Unique{}; });
    if (heartbeat.sender.node.is_some()) {
        head.echoed &= ~NodeSet::of(heartbeat.sender.node).bits();
    }
    head.incarnation = record.incarnation.value();
    head.members = record.members.bits();
    head.listed = bits_of(record.unique, [](Unique unique) { return unique != Unique{}; });
    head.misscount_ms = milliseconds_of(record.parameters.misscount);
    head.disktimeout_ms = milliseconds_of(record.parameters.disktimeout);
    head.reboottime_ms = milliseconds_of(record.parameters.reboottime);
    head.files = record.files.bits();
    head.files_next = record.files_next.bits();
    head.proposer = static_cast<std::uint8_t>(record.proposer.value());
    head.cause = static_cast<std::uint8_t>(record.cause);
    head.files_generation = record.files_generation;
    return head;
}

PlainVerdict check_record(const Head& head) {
    const bool ordered = head.reboottime_ms > 0 && head.reboottime_ms < head.misscount_ms &&
                         head.misscount_ms < head.disktimeout_ms;
    if (!ordered) {
        return PlainVerdict::kBadParameters;
    }
    if (((head.files | head.files_next) & ~kFilesAll) != 0) {
        return PlainVerdict::kBadFiles;
    }
    if (head.proposer > kNodesMax) {
        return PlainVerdict::kBadProposer;
    }
    if (head.cause > kRecordCauseMax) {
        return PlainVerdict::kBadCause;
    }
    if (head.incarnation == 0 && (head.members | head.listed) != 0) {
        return PlainVerdict::kBadRecord;
    }
    if ((head.members & ~head.listed) != 0) {
        return PlainVerdict::kMemberNotListed;
    }
    return PlainVerdict::kValid;
}

/// Everything that the head alone can tell; the same for what goes out and what comes in.
PlainVerdict check_head(const Head& head) {
    if (head.state < static_cast<std::uint8_t>(NodeState::kJoining) ||
        head.state > static_cast<std::uint8_t>(NodeState::kResetting)) {
        return PlainVerdict::kBadState;
    }
    if ((head.flags & ~kFlagsAll) != 0) {
        return PlainVerdict::kBadFlags;
    }
    if (head.sender < 1 || head.sender > kNodesMax) {
        return PlainVerdict::kBadSender;
    }
    if (head.unique == 0) {
        return PlainVerdict::kNoUnique;
    }
    if (head.sequence == 0) {
        return PlainVerdict::kNoSequence;
    }
    if (const auto verdict = check_record(head); verdict != PlainVerdict::kValid) {
        return verdict;
    }
    if (NodeSet{head.echoed}.contains(NodeNumber{head.sender})) {
        return PlainVerdict::kEchoOfSender;
    }
    return PlainVerdict::kValid;
}

PlainVerdict check_entries(const Head& head, const std::byte* at) {
    for (unsigned i = NodeSet{head.listed}.count(); i > 0; --i, at += kPlainUniqueSize) {
        if (bytes::load<std::uint32_t>(at) == 0) {
            return PlainVerdict::kListedWithoutUnique;
        }
    }
    at += head.named().count() * kPlainTagSize;
    for (unsigned i = NodeSet{head.echoed}.count(); i > 0; --i, at += kPlainEchoSize) {
        if (bytes::load<std::uint32_t>(at) == 0) {
            return PlainVerdict::kEchoWithoutUnique;
        }
    }
    return PlainVerdict::kValid;
}

Record record_of(const Head& head) {
    Record record;
    record.incarnation = Incarnation{head.incarnation};
    record.members = NodeSet{head.members};
    record.parameters.misscount = std::chrono::milliseconds{head.misscount_ms};
    record.parameters.disktimeout = std::chrono::milliseconds{head.disktimeout_ms};
    record.parameters.reboottime = std::chrono::milliseconds{head.reboottime_ms};
    record.files = FileSet{head.files};
    record.files_next = FileSet{head.files_next};
    record.proposer = head.proposer == 0 ? NodeNumber{} : NodeNumber{head.proposer};
    record.cause = static_cast<RecordCause>(head.cause);
    record.files_generation = head.files_generation;
    return record;
}

}  // namespace

std::size_t encode(const Heartbeat& heartbeat, std::span<std::byte> out) {
    CSS_CHECK(out.size() >= kPlainSizeMax);
    const Head head = head_of(heartbeat);
    CSS_CHECK(check_head(head) == PlainVerdict::kValid);
    bytes::Writer writer{out};
    Head::each(head, [&](auto field) { writer.put(field); });
    CSS_CHECK(writer.size() == kPlainHeadSize);
    for (const NodeNumber n : NodeSet{head.listed}) {
        writer.put(heartbeat.record.unique[n].value());
    }
    for (const FileIndex f : head.named()) {
        writer.put(heartbeat.record.file_tags[f].value());
    }
    for (const NodeNumber n : NodeSet{head.echoed}) {
        writer.put(heartbeat.echo[n].unique.value());
        writer.put(heartbeat.echo[n].sequence.value());
    }
    CSS_CHECK(writer.size() == head.size_with_entries());
    return writer.size();
}

PlainVerdict decode(std::span<const std::byte> bytes, Heartbeat& heartbeat) {
    if (bytes.size() < kPlainHeadSize) {
        return PlainVerdict::kTooShort;
    }
    Head head;
    bytes::Reader reader{bytes};
    Head::each(head, [&]<class Field>(Field& field) { field = reader.get<Field>(); });
    if (head.version != kPlainVersion) {
        return PlainVerdict::kBadVersion;
    }
    if (bytes.size() != head.size_with_entries()) {
        return bytes.size() < head.size_with_entries() ? PlainVerdict::kTooShort
                                                       : PlainVerdict::kTrailingBytes;
    }
    if (const auto verdict = check_head(head); verdict != PlainVerdict::kValid) {
        return verdict;
    }
    if (const auto verdict = check_entries(head, bytes.data() + kPlainHeadSize);
        verdict != PlainVerdict::kValid) {
        return verdict;
    }
    heartbeat.sender = Instance{NodeNumber{head.sender}, Unique{head.unique}};
    heartbeat.sequence = Sequence{head.sequence};
    heartbeat.state = static_cast<NodeState>(head.state);
    heartbeat.standby = (head.flags & kFlagStandby) != 0;
    heartbeat.complete = (head.flags & kFlagComplete) != 0;
    heartbeat.weight = head.weight;
    heartbeat.connected = NodeSet{head.connected};
    heartbeat.doubt = NodeSet{head.doubt};
    heartbeat.stop_requested = NodeSet{head.stop_requested};
    heartbeat.record = record_of(head);
    heartbeat.echo = {};
    for (const NodeNumber n : NodeSet{head.listed}) {
        heartbeat.record.unique[n] = Unique{reader.get<std::uint32_t>()};
    }
    for (const FileIndex f : head.named()) {
        heartbeat.record.file_tags[f] = FileTag{reader.get<std::uint32_t>()};
    }
    for (const NodeNumber n : NodeSet{head.echoed}) {
        const Unique unique{reader.get<std::uint32_t>()};
        heartbeat.echo[n] = Echo{unique, Sequence{reader.get<std::uint64_t>()}};
    }
    CSS_CHECK(reader.size() == bytes.size());
    return PlainVerdict::kValid;
}

std::string_view describe(PlainVerdict verdict) {
    switch (verdict) {
        case PlainVerdict::kValid: return "valid";
        case PlainVerdict::kTooShort: return "too short";
        case PlainVerdict::kBadVersion: return "unknown version";
        case PlainVerdict::kTrailingBytes: return "trailing bytes";
        case PlainVerdict::kBadState: return "unknown state";
        case PlainVerdict::kBadFlags: return "unknown flags";
        case PlainVerdict::kBadSender: return "sender number out of range";
        case PlainVerdict::kNoUnique: return "sender without a unique";
        case PlainVerdict::kNoSequence: return "sequence zero";
        case PlainVerdict::kBadParameters: return "time-outs out of order";
        case PlainVerdict::kBadFiles: return "voting file index out of range";
        case PlainVerdict::kBadProposer: return "proposer out of range";
        case PlainVerdict::kBadCause: return "unknown cause of the record";
        case PlainVerdict::kBadRecord: return "record 0 with members";
        case PlainVerdict::kMemberNotListed: return "member without a unique";
        case PlainVerdict::kListedWithoutUnique: return "listed slot without a unique";
        case PlainVerdict::kEchoOfSender: return "sender echoes itself";
        case PlainVerdict::kEchoWithoutUnique: return "echo without a unique";
    }
    return "?";
}

}  // namespace css::netbeat
