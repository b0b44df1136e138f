#include "tests/voting_format/samples.h"

#include <algorithm>

#include "voting/format/bytes.h"
#include "voting/format/crc32c.h"
#include "voting/format/envelope.h"

namespace css::voting::samples {
namespace {

template <class T>
T any(Random& random) {
    return static_cast<T>(random());
}
std::uint32_t between(Random& random, std::uint32_t low, std::uint32_t high) {
    return std::uniform_int_distribution<std::uint32_t>{low, high}(random);
}
std::chrono::milliseconds any_timeout(Random& random) {
    return std::chrono::milliseconds{between(random, 1, 0xFFFFFFFF)};
}
Parameters any_parameters(Random& random) {
    return {any_timeout(random), any_timeout(random), any_timeout(random)};
}
NodeNumber any_node(Random& random) {
    return NodeNumber{between(random, 1, kNodesMax)};
}

}  // namespace

Bytes16 bytes16(std::uint8_t first) {
    Bytes16 bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(first + i);
    }
    return bytes;
}

SectorIdentity identity(std::size_t sector_size) {
    return {{bytes16(0x10)}, {bytes16(0x40)}, sector_size};
}

NewSet new_set(std::size_t sector_size) {
    NewSet set;
    set.cluster = {bytes16(0x10)};
    set.files = {{bytes16(0x40)}, {bytes16(0x60)}, {bytes16(0x80)}};
    set.cluster_name = "atlas";
    set.sector_size = sector_size;
    return set;
}

Record full_record() {
    Record record;
    record.incarnation = Incarnation{0x0102030405060708};
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        record.members.insert(n);
        record.unique[n] = Unique{0x60000000 + static_cast<std::uint32_t>(i)};
    }
    record.members.erase(NodeNumber{64});
    record.files = FileSet{0b111};
    record.files_next = FileSet{0b11111};
    record.proposer = NodeNumber{3};
    record.cause = RecordCause::kLinkLost;
    return record;
}

Heartbeat heartbeat() {
    Heartbeat h;
    h.unique = Unique{0x6A7B8C9D};
    h.host = HostId{0x1122334455667788};
    h.boot = BootId{0x99AABBCCDDEEFF00};
    h.sequence = Sequence{1'000'001};
    h.state = NodeState::kActive;
    h.standby = false;
    h.complete = true;
    h.slots_read = 64;
    h.weight = 1001;
    h.promise = {std::chrono::milliseconds{1000},
                 std::chrono::milliseconds{200'000},
                 std::chrono::milliseconds{200}};
    h.connected = NodeSet{0xF0F0F0F0F0F0F0F0};
    h.doubt = NodeSet{0x3};
    h.wall_clock_ns = 1'795'316'724'016'000'000;
    h.record = full_record();
    return h;
}

Ballot ballot() {
    Ballot b;
    b.record = full_record();
    b.instance = b.record.incarnation;
    b.mbal = 7 * 64 + 2;
    b.bal = 6 * 64 + 2;
    return b;
}

KillBlock kill() {
    KillBlock k;
    k.victim = Unique{0x6A7B8C9D};
    k.incarnation = Incarnation{42};
    k.evictor = NodeNumber{2};
    k.reason = KillReason::kLinkLost;
    k.confirmed = true;
    return k;
}

Record random_record(Random& random) {
    Record record;
    record.parameters = any_parameters(random);
    record.files = FileSet{static_cast<std::uint16_t>(between(random, 1, 0x7FFF))};
    record.cause = static_cast<RecordCause>(between(random, 0, kRecordCauseMax));
    if (between(random, 0, 9) == 0) {
        return record;  // As R_0: no members.
    }
    record.incarnation = Incarnation{any<std::uint64_t>(random) | 1};
    record.files_next = FileSet{static_cast<std::uint16_t>(between(random, 0, 0x7FFF))};
    record.members = NodeSet{any<std::uint64_t>(random) & any<std::uint64_t>(random)};
    record.members.insert(any_node(random));
    for (Unique& unique : record.unique) {
        unique = Unique{any<std::uint32_t>(random) | 1};
    }
    record.proposer = any_node(random);
    record.files_generation = any<std::uint64_t>(random);
    for (const FileIndex f : record.files | record.files_next) {
        record.file_tags[f] = FileTag{any<std::uint32_t>(random)};
    }
    return record;
}

Heartbeat random_heartbeat(Random& random) {
    Heartbeat h;
    h.unique = Unique{any<std::uint32_t>(random) | 1};
    h.host = HostId{random()};
    h.boot = BootId{random()};
    h.sequence = Sequence{random()};
    h.state = static_cast<NodeState>(between(random, 1, 5));
    h.standby = between(random, 0, 1) != 0;
    h.complete = between(random, 0, 1) != 0;
    h.slots_read = static_cast<std::uint8_t>(between(random, 0, kNodesMax));
    h.weight = any<std::uint32_t>(random);
    h.promise = any_parameters(random);
    h.connected = NodeSet{random()};
    h.doubt = NodeSet{random()};
    h.wall_clock_ns = any<std::int64_t>(random);
    h.record = random_record(random);
    return h;
}

Ballot random_ballot(Random& random) {
    Ballot b;
    b.record = random_record(random);
    b.instance = b.record.incarnation;
    b.mbal = random();
    b.bal = std::min<std::uint64_t>(b.mbal, random());
    if (b.instance == Incarnation{}) {
        b.instance = Incarnation{1};
        b.bal = 0;
    }
    return b;
}

KillBlock random_kill(Random& random) {
    KillBlock k;
    k.victim = Unique{any<std::uint32_t>(random) | 1};
    k.incarnation = Incarnation{random()};
    k.evictor = any_node(random);
    k.reason = static_cast<KillReason>(between(random, 0, kKillReasonMax));
    k.confirmed = between(random, 0, 1) != 0;
    return k;
}

Header random_header(Random& random) {
    const auto any_bytes = [&] {
        Bytes16 bytes{};
        for (std::byte& b : bytes) {
            b = static_cast<std::byte>(between(random, 1, 255));
        }
        return bytes;
    };
    Header h;
    h.cluster = {any_bytes()};
    h.cluster_name = std::string(between(random, 1, kClusterNameMax), 'x');
    h.sector_size = between(random, 0, 1) == 0 ? 512 : 4096;
    h.slots_max = between(random, 1, kNodesMax);
    h.generation = random() | 1;
    h.parameters = any_parameters(random);
    const std::size_t entries = between(random, 1, kFilesMax);
    for (std::size_t i = 0; i < entries; ++i) {
        h.table[i] = {{any_bytes()}, i == 0 || between(random, 0, 1) != 0};
    }
    h.files = FileSet::of(FileIndex::from_index(0));
    h.file = h.table[entries - 1].uid;
    return h;
}

void reseal(std::span<std::byte> sector) {
    FieldWriter{sector.subspan(kChecksumOffset, 4)}.put(crc32c(sector.first(kChecksumOffset)));
}

}  // namespace css::voting::samples
