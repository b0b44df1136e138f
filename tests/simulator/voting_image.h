#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cssd/core/io.h"
#include "voting/format/codec.h"
#include "voting/format/header.h"
#include "voting/format/layout.h"

namespace css::sim {

/// One voting file: its bytes in the real layout, and what they decode to. Sectors are decoded when
/// they change, once for all readers; each reader would decode the same bytes to the same views.
class VotingImage {
public:
    /// A formatted file with `slots` slots. `version` tells the files apart that had a place.
    VotingImage(FileIndex file, std::size_t sector_size, unsigned slots, unsigned version = 0);

    [[nodiscard]] const voting::SectorIdentity& identity() const { return identity_; }
    [[nodiscard]] FileTag tag() const { return voting::tag_of(identity_.file); }
    /// What the header says; of generation 0: it is unreadable, or was in no set yet.
    [[nodiscard]] const core::HeaderOrder& header() const { return header_; }
    void write_header(const core::HeaderOrder& header) { header_ = header; }
    [[nodiscard]] std::size_t sector_size() const { return layout_.sector_size(); }
    [[nodiscard]] unsigned slots() const { return static_cast<unsigned>(views_.size()); }
    [[nodiscard]] std::span<const SlotView> views(unsigned slots) const {
        return std::span{views_}.first(slots);
    }
    [[nodiscard]] const SlotView& view(NodeNumber n) const { return views_[n.index()]; }

    [[nodiscard]] std::span<const std::byte> sector(NodeNumber slot, std::size_t which) const;
    void write_sector(NodeNumber slot, std::size_t which, std::span<const std::byte> bytes);
    /// Whether H and B of `slot` are exactly these two sectors.
    [[nodiscard]] bool shows(NodeNumber slot, std::span<const std::byte> written) const;
    /// What a reader that takes this image's bytes for those of `identity` and `slot` would see.
    [[nodiscard]] SlotView misread(const voting::SectorIdentity& identity,
                                   NodeNumber slot,
                                   NodeNumber source) const;

    /// All zero: nothing is readable any more.
    void wipe();
    /// Formatted again, as another file: readers still expect the old one.
    void replace();
    [[nodiscard]] std::vector<std::byte> copy() {
        header_copied_ = header_;
        return raw_;
    }
    void restore(const std::vector<std::byte>& old);

private:
    void format(const voting::SectorIdentity& identity);
    void decode(NodeNumber slot, std::size_t which);
    void decode_all();

    voting::SectorIdentity identity_;
    voting::Layout layout_;
    std::vector<std::byte> raw_;
    std::vector<SlotView> views_;
    core::HeaderOrder header_;
    core::HeaderOrder header_copied_;
};

}  // namespace css::sim
