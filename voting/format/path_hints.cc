#include "voting/format/path_hints.h"

#include <algorithm>

#include "voting/format/bytes.h"
#include "voting/format/crc32c.h"
#include "voting/format/envelope.h"

namespace css::voting {
namespace {

constexpr std::size_t kEntrySize = 16 + 2 + kPathMax;
constexpr std::size_t kEntriesInSector = 3;
constexpr std::size_t kSectors = kFilesMax / kEntriesInSector;
static_assert(kFilesMax % kEntriesInSector == 0);
static_assert(kEntriesInSector * kEntrySize <= kChecksumOffset);
static_assert((1 + kSectors) * kSectorSizeSmall <= kHeaderSize);

using Sector = std::span<const std::byte, kSectorSizeSmall>;

constexpr std::size_t sector_at(std::size_t sector) {
    return (1 + sector) * kSectorSizeSmall;  // The first one is the header's.
}

Sector sector_of(std::span<const std::byte, kHeaderSize> region, std::size_t sector) {
    return region.subspan(sector_at(sector)).first<kSectorSizeSmall>();
}

bool is_right(Sector sector) {
    FieldReader checksum{sector.subspan(kChecksumOffset)};
    return checksum.get<std::uint32_t>() == crc32c(sector.first(kChecksumOffset));
}

void put(const PathHint& hint, FieldWriter& to) {
    CSS_CHECK(hint.path.size() <= kPathMax);
    to.put(std::span<const std::byte>{hint.file.bytes});
    to.put(static_cast<std::uint16_t>(hint.path.size()));
    to.put(std::as_bytes(std::span{hint.path}));
    to.skip(kPathMax - hint.path.size());
}

PathHint get(FieldReader& from) {
    PathHint hint;
    hint.file.bytes = from.get_bytes16();
    const std::size_t size = from.get<std::uint16_t>();
    for (std::size_t i = 0; i < kPathMax; ++i) {
        const auto c = static_cast<char>(from.get<std::uint8_t>());
        if (i < size) {
            hint.path.push_back(c);
        }
    }
    return size > kPathMax || hint.path.find('\0') != std::string::npos ? PathHint{} : hint;
}

}  // namespace

PathHints merged(PathHints old, const PathHints& news) {
    for (std::size_t i = 0; i < old.size(); ++i) {
        if (news.at(i).file != FileUid{}) {
            old.at(i) = news.at(i);
        }
    }
    return old;
}

void encode_path_hints(const PathHints& hints, std::span<std::byte, kHeaderSize> region) {
    std::fill(region.begin() + sector_at(0), region.end(), std::byte{0});
    for (std::size_t s = 0; s < kSectors; ++s) {
        const auto sector = std::span{region}.subspan(sector_at(s), kSectorSizeSmall);
        FieldWriter to{sector.first(kChecksumOffset)};
        for (std::size_t i = 0; i < kEntriesInSector; ++i) {
            put(hints.at(s * kEntriesInSector + i), to);
        }
        FieldWriter{sector.subspan(kChecksumOffset)}.put(crc32c(sector.first(kChecksumOffset)));
    }
}

bool are_path_hints_readable(std::span<const std::byte, kHeaderSize> region) {
    for (std::size_t s = 0; s < kSectors; ++s) {
        const Sector sector = sector_of(region, s);
        if (!is_right(sector) && !all_zero(sector)) {
            return false;
        }
    }
    return all_zero(region.subspan(sector_at(kSectors)));
}

PathHints decode_path_hints(std::span<const std::byte, kHeaderSize> region) {
    PathHints hints;
    for (std::size_t s = 0; s < kSectors; ++s) {
        const Sector sector = sector_of(region, s);
        if (!is_right(sector)) {
            continue;
        }
        FieldReader from{sector.first(kChecksumOffset)};
        for (std::size_t i = 0; i < kEntriesInSector; ++i) {
            hints.at(s * kEntriesInSector + i) = get(from);
        }
    }
    return hints;
}

}  // namespace css::voting
