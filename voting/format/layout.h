#pragma once

#include <cstddef>
#include <cstdint>

#include "cssd/base/check.h"
#include "cssd/base/types.h"

/// Where things are on a voting file (PROTOCOL 3; FORMAT.md has the same field by field). Offsets
/// and sizes are in bytes from the start of the file or device; all are multiples of the sector.
namespace css::voting {

/// Everything a sector means fits into this many bytes. On a sector of 4096 the rest is zero.
inline constexpr std::size_t kSectorPayload = 512;
inline constexpr std::size_t kSectorSizeSmall = 512;
inline constexpr std::size_t kSectorSizeLarge = 4096;

constexpr bool is_sector_size(std::size_t size) {
    return size == kSectorSizeSmall || size == kSectorSizeLarge;
}

/// The header with its zeros, the same at both sector sizes: it is read before the size is known.
inline constexpr std::size_t kHeaderSize = 4096;

/// Sectors of one slot, in this order: H and B are neighbours, so that one request writes both.
inline constexpr std::size_t kSlotSectors = 3;
inline constexpr std::size_t kHeartbeatSector = 0;
inline constexpr std::size_t kBallotSector = 1;
inline constexpr std::size_t kKillSector = 2;
static_assert(kBallotSector == kHeartbeatSector + 1);

struct Extent {
    std::uint64_t offset = 0;
    std::size_t size = 0;
    [[nodiscard]] constexpr std::uint64_t end() const { return offset + size; }
    friend constexpr bool operator==(const Extent&, const Extent&) = default;
};

/// The layout at one sector size, which is fixed when the file is formatted.
class Layout {
public:
    constexpr explicit Layout(std::size_t sector_size) : sector_size_(sector_size) {
        CSS_CHECK(is_sector_size(sector_size));
    }

    [[nodiscard]] constexpr std::size_t sector_size() const { return sector_size_; }
    [[nodiscard]] constexpr std::size_t slot_size() const { return kSlotSectors * sector_size_; }

    [[nodiscard]] constexpr Extent header() const { return {0, kHeaderSize}; }
    /// H, B and K of a node; also the range its daemon holds locked.
    [[nodiscard]] constexpr Extent slot(NodeNumber n) const {
        return {kHeaderSize + n.index() * slot_size(), slot_size()};
    }
    /// What one cycle writes.
    [[nodiscard]] constexpr Extent heartbeat_and_ballot(NodeNumber n) const {
        return {slot(n).offset, 2 * sector_size_};
    }
    [[nodiscard]] constexpr Extent kill(NodeNumber n) const {
        return {slot(n).offset + kKillSector * sector_size_, sector_size_};
    }
    /// What one cycle reads: slots 1..count.
    [[nodiscard]] constexpr Extent slots(unsigned count) const {
        CSS_CHECK(count >= 1);
        CSS_CHECK(count <= kNodesMax);
        return {kHeaderSize, count * slot_size()};
    }
    /// Size of a plain file; a device must be at least as large. All 64 slots are always there.
    [[nodiscard]] constexpr std::uint64_t file_size() const { return slots(kNodesMax).end(); }

private:
    std::size_t sector_size_;
};

static_assert(kSectorPayload <= kSectorSizeSmall);
static_assert(kHeaderSize % kSectorSizeSmall == 0);
static_assert(kHeaderSize % kSectorSizeLarge == 0);
static_assert(Layout{512}.slot(NodeNumber{1}) == Extent{4096, 1536});
static_assert(Layout{512}.slot(NodeNumber{64}) == Extent{100'864, 1536});
static_assert(Layout{512}.file_size() == 102'400);
static_assert(Layout{512}.kill(NodeNumber{2}) == Extent{6656, 512});
static_assert(Layout{4096}.slot(NodeNumber{2}) == Extent{16'384, 12'288});
static_assert(Layout{4096}.kill(NodeNumber{1}) == Extent{12'288, 4096});
static_assert(Layout{4096}.file_size() == 790'528);

}  // namespace css::voting
