// The header of a voting file and the hints behind it, with the checksum of the header put right.

#include "voting/format/header.h"

#include <algorithm>
#include <array>
#include <memory>

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "voting/format/envelope.h"

namespace css::fuzz {
namespace {

using Region = std::array<std::byte, voting::kHeaderSize>;

voting::HeaderRegion sample() {
    voting::HeaderRegion region;
    region.header.cluster.bytes[0] = std::byte{9};
    region.header.cluster_name = "demo";
    for (std::size_t i = 0; i < 3; ++i) {
        FileUid uid;
        uid.bytes[0] = static_cast<std::byte>(i + 1);
        region.header.table[i] = {.uid = uid, .in_use = true};
        region.header.files.insert(FileIndex::from_index(i));
        region.hints[i] = {.file = uid, .path = "/dev/vote" + std::to_string(i)};
    }
    region.header.file = region.header.table[0].uid;
    return region;
}

}  // namespace

void run(Input input) {
    static const voting::HeaderRegion good = sample();
    const auto bytes = std::make_unique<Region>();
    voting::encode_region(good, *bytes);
    patch(*bytes, input);
    static_cast<void>(voting::looks_like_header(*bytes));
    if (!input.empty() && std::to_integer<unsigned>(input.back()) % 4 != 0) {
        voting::Envelope envelope;
        envelope.kind = voting::SectorKind::kHeader;
        envelope.cluster = good.header.cluster;
        envelope.file = good.header.file;
        std::fill_n(bytes->begin() + voting::kChecksumOffset, 4, std::byte{});
        voting::seal(envelope, std::span{*bytes}.first<voting::kSectorSizeSmall>());
    }
    voting::HeaderRegion region;
    if (voting::decode_region(*bytes, region) != SectorVerdict::kValid) {
        CSS_CHECK(region == voting::HeaderRegion{});
        return;
    }
    const auto again = std::make_unique<Region>();
    voting::encode_region(region, *again);
    voting::HeaderRegion twice;
    CSS_CHECK(voting::decode_region(*again, twice) == SectorVerdict::kValid);
    CSS_CHECK(twice == region);
    // Beside a good one of the same set.
    const std::array<voting::HeaderAt, 3> all{
        voting::HeaderAt{"/a", SectorVerdict::kValid, good.header},
        voting::HeaderAt{"/b", SectorVerdict::kValid, region.header},
        voting::HeaderAt{"/c", SectorVerdict::kBadChecksum, {}}};
    if (const auto set = voting::compare_headers("demo", all)) {
        CSS_CHECK(set->files.size() == all.size());
    } else {
        CSS_CHECK(!set.error().message.empty());
    }
}

}  // namespace css::fuzz
