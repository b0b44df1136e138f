#include "voting/format/envelope.h"

#include <algorithm>
#include <array>

#include "voting/format/bytes.h"
#include "voting/format/crc32c.h"

namespace css::voting {
namespace {

constexpr std::array<char, kMagicSize> kMagic{'C', 'S', 'S', 'V', 'O', 'T', 'E', 'F'};

std::uint32_t stored_checksum(std::span<const std::byte> sector) {
    return FieldReader{sector.subspan(kChecksumOffset, 4)}.get<std::uint32_t>();
}

SectorVerdict check_intact(SectorKind kind, std::span<const std::byte> sector) {
    CSS_CHECK(sector.size() >= kSectorPayload);
    if (stored_checksum(sector) != crc32c(sector.first(kChecksumOffset))) {
        return SectorVerdict::kBadChecksum;
    }
    if (!has_magic(sector)) {
        return SectorVerdict::kBadMagic;
    }
    FieldReader head{sector.first(kEnvelopeHeadSize).subspan(kMagicSize)};
    if (head.get<std::uint16_t>() != kFormatVersion) {
        return SectorVerdict::kBadVersion;
    }
    if (head.get<std::uint8_t>() != static_cast<std::uint8_t>(kind)) {
        return SectorVerdict::kWrongKind;
    }
    return SectorVerdict::kValid;
}

Envelope fields_of(SectorKind kind, std::span<const std::byte> sector) {
    Envelope found;
    found.kind = kind;
    found.slot = std::to_integer<std::uint8_t>(sector[kMagicSize + 3]);
    found.cluster.bytes = FieldReader{sector.subspan(kClusterOffset)}.get_bytes16();
    found.file.bytes = FieldReader{sector.subspan(kFileOffset)}.get_bytes16();
    return found;
}

SectorVerdict check_unused(std::span<const std::byte> sector) {
    const auto unused = sector.first(kEnvelopeHeadSize).subspan(kMagicSize + 4);
    return all_zero(unused) ? SectorVerdict::kValid : SectorVerdict::kMalformed;
}

}  // namespace

bool has_magic(std::span<const std::byte> sector) {
    return std::equal(kMagic.begin(), kMagic.end(), sector.begin(), [](char m, std::byte b) {
        return static_cast<std::byte>(m) == b;
    });
}

std::span<std::byte, kContentsSize> contents_of(std::span<std::byte> sector) {
    return sector.subspan<kContentsOffset, kContentsSize>();
}

std::span<const std::byte, kContentsSize> contents_of(std::span<const std::byte> sector) {
    return sector.subspan<kContentsOffset, kContentsSize>();
}

void seal(const Envelope& envelope, std::span<std::byte> sector) {
    CSS_CHECK(sector.size() >= kSectorPayload);
    FieldWriter head{sector.first(kContentsOffset)};
    head.put(std::as_bytes(std::span{kMagic}));
    head.put(kFormatVersion);
    head.put(static_cast<std::uint8_t>(envelope.kind));
    head.put(envelope.slot);
    head.skip(4);
    head.put(std::span<const std::byte>{envelope.cluster.bytes});
    head.put(std::span<const std::byte>{envelope.file.bytes});
    FieldWriter{sector.subspan(kChecksumOffset, 4)}.put(crc32c(sector.first(kChecksumOffset)));
}

SectorVerdict check_envelope(const Envelope& expected, std::span<const std::byte> sector) {
    const SectorVerdict intact = check_intact(expected.kind, sector);
    if (intact != SectorVerdict::kValid) {
        return intact;
    }
    const Envelope found = fields_of(expected.kind, sector);
    if (found.cluster != expected.cluster) {
        return SectorVerdict::kWrongCluster;
    }
    if (found.file != expected.file) {
        return SectorVerdict::kWrongFile;
    }
    if (found.slot != expected.slot) {
        return SectorVerdict::kWrongSlot;
    }
    if (!all_zero(sector.subspan(kSectorPayload))) {  // In a larger sector.
        return SectorVerdict::kMalformed;
    }
    return check_unused(sector);
}

SectorVerdict check_header_envelope(std::span<const std::byte> sector, Envelope& found) {
    const SectorVerdict intact = check_intact(SectorKind::kHeader, sector);
    if (intact != SectorVerdict::kValid) {
        return intact;
    }
    const Envelope fields = fields_of(SectorKind::kHeader, sector);
    if (fields.slot != 0) {
        return SectorVerdict::kWrongSlot;
    }
    found = fields;
    return check_unused(sector);
}

}  // namespace css::voting
