#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cssd/base/types.h"
#include "voting/format/codec.h"
#include "voting/format/layout.h"
#include "voting/format/sectors.h"

namespace css::voting {

/// What the last read of one open file showed: raw bytes and decoded slots. One per open file, used
/// by the thread of that file alone. Most sectors do not change between two reads, so only those
/// whose bytes did are decoded. No allocation after construction.
///
/// Invariant: for each slot below known_, views_ is the decoding of the bytes in raw_.
class SlotTable {
public:
    explicit SlotTable(const SectorIdentity& identity);

    [[nodiscard]] const SectorIdentity& identity() const { return identity_; }

    /// Takes in a read of slots 1..`slots`: `read_bytes` is all of Layout::slots(slots).
    void update(std::span<const std::byte> read_bytes, unsigned slots);

    /// Slots 1..`slots` as the last update showed them; at most as many as it brought. A sector
    /// that is not kValid holds an empty value. Valid until the next update.
    [[nodiscard]] std::span<const SlotView> views(unsigned slots) const;

    /// Whether the last update showed H and B of `slot` byte for byte as `written`, the two sectors
    /// that this instance wrote in one request (CycleFinished::own_as_written).
    [[nodiscard]] bool shows_exactly(NodeNumber slot, std::span<const std::byte> written) const;

private:
    void update_slot(std::size_t index, std::span<const std::byte> bytes);

    SectorIdentity identity_;
    Layout layout_;
    unsigned last_ = 0;   ///< Slots that the last update brought.
    unsigned known_ = 0;  ///< Slots that any update brought.
    std::vector<std::byte> raw_;
    std::vector<SlotView> views_;
};

}  // namespace css::voting
