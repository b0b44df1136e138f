// `votefile dump`, as text and as JSON, of a voting file with parts of it changed.

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "tools/votefile/options.h"
#include "voting/format/codec.h"
#include "voting/format/envelope.h"
#include "voting/format/header.h"
#include "voting/format/layout.h"

namespace css::fuzz {
namespace {

constexpr std::size_t kSector = voting::kSectorSizeSmall;
constexpr unsigned kSlots = 2;

voting::Header sample_header() {
    voting::Header header;
    header.cluster.bytes[0] = std::byte{9};
    header.cluster_name = "demo";
    header.file.bytes[0] = std::byte{1};
    header.table[0] = {.uid = header.file, .in_use = true};
    header.files.insert(FileIndex::from_index(0));
    return header;
}

std::vector<std::byte> sample() {
    const voting::Header header = sample_header();
    std::vector<std::byte> file(voting::kHeaderSize + kSlots * 3 * kSector);
    const std::span all{file};
    voting::encode_header(header, all.first<voting::kHeaderSize>());
    for (unsigned i = 0; i < kSlots; ++i) {
        const auto slot = all.subspan(voting::kHeaderSize + i * 3 * kSector);
        const NodeNumber n = NodeNumber::from_index(i);
        const voting::SectorIdentity identity = header.identity();
        voting::encode_heartbeat(identity, n, {}, slot.first(kSector));
        voting::encode_ballot(identity, n, {}, slot.subspan(kSector, kSector));
        voting::encode_kill(identity, n, {}, slot.subspan(2 * kSector, kSector));
    }
    return file;
}

/// Puts the checksums of the slots' sectors right.
void seal_slots(std::span<std::byte> file) {
    static const voting::Header header = sample_header();
    constexpr std::array kKinds{
        voting::SectorKind::kHeartbeat, voting::SectorKind::kBallot, voting::SectorKind::kKill};
    for (std::size_t i = 0; i < kSlots * kKinds.size(); ++i) {
        const auto sector = file.subspan(voting::kHeaderSize + i * kSector, kSector);
        std::ranges::fill(sector.subspan(voting::kChecksumOffset, 4), std::byte{});
        voting::seal({.kind = kKinds[i % kKinds.size()],
                      .slot = static_cast<std::uint8_t>(i / kKinds.size() + 1),
                      .cluster = header.cluster,
                      .file = header.file},
                     sector);
    }
}

}  // namespace

void run(Input input) {
    static const bool quiet = std::freopen("/dev/null", "w", stdout) != nullptr;
    static const std::vector<std::byte> good = sample();
    CSS_CHECK(quiet);
    std::vector<std::byte> file = good;
    const unsigned how = input.empty() ? 0 : std::to_integer<unsigned>(input.front());
    patch(file, input);
    if (how % 4 != 0) {
        seal_slots(file);
    }
    if (how >= 240) {
        file.erase(file.end() - (how - 239) * 100, file.end());
    }
    votefile::DumpOptions options;
    options.paths = {file_with(file)};
    for (const auto output : {votefile::Output::kText, votefile::Output::kJson}) {
        options.output = output;
        static_cast<void>(votefile::run_dump(options));
    }
}

}  // namespace css::fuzz
