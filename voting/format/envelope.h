#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cssd/base/types.h"
#include "voting/format/layout.h"
#include "voting/format/sectors.h"

/// What every sector of a voting file has around its contents, so that a damaged, stale or
/// misdirected one is recognised (PROTOCOL 3). For the codecs of this folder only.
///
///     0  magic      8      16  cluster GUID  16      508  CRC-32C of bytes 0..507   4
///     8  version    2      32  FUID          16      512  zeros, on a sector of 4096
///    10  kind       1      48  contents     460
///    11  slot       1
///    12  zero       4
namespace css::voting {

/// Values are on disk: never renumber.
enum class SectorKind : std::uint8_t { kHeader = 1, kHeartbeat = 2, kBallot = 3, kKill = 4 };

inline constexpr std::uint16_t kFormatVersion = 1;

inline constexpr std::size_t kMagicSize = 8;
inline constexpr std::size_t kEnvelopeHeadSize = 16;
inline constexpr std::size_t kClusterOffset = 16;
inline constexpr std::size_t kFileOffset = 32;
inline constexpr std::size_t kContentsOffset = 48;
inline constexpr std::size_t kChecksumOffset = kSectorPayload - 4;
inline constexpr std::size_t kContentsSize = kChecksumOffset - kContentsOffset;
static_assert(kContentsSize == 460);

struct Envelope {
    SectorKind kind = SectorKind::kHeader;
    std::uint8_t slot = 0;  ///< Node number; zero in the header.
    ClusterGuid cluster;
    FileUid file;
};

/// The contents of a sector. `sector` has at least 512 bytes.
std::span<std::byte, kContentsSize> contents_of(std::span<std::byte> sector);
std::span<const std::byte, kContentsSize> contents_of(std::span<const std::byte> sector);

/// Puts the envelope around contents already written; the rest of `sector` must be zero.
void seal(const Envelope& envelope, std::span<std::byte> sector);

/// Checks everything but the contents, in the order of SectorVerdict; kMalformed: bytes that must
/// be zero are not.
[[nodiscard]] SectorVerdict check_envelope(const Envelope& expected,
                                           std::span<const std::byte> sector);

/// The same for a header, which tells us cluster and file: `found` gets them for kValid.
[[nodiscard]] SectorVerdict check_header_envelope(std::span<const std::byte> sector,
                                                  Envelope& found);

[[nodiscard]] bool has_magic(std::span<const std::byte> sector);

}  // namespace css::voting
