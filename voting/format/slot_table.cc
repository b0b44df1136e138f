#include "voting/format/slot_table.h"

#include <algorithm>
#include <cstring>

#include "cssd/base/check.h"

namespace css::voting {
namespace {

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

SlotTable::SlotTable(const SectorIdentity& identity)
    : identity_(identity),
      layout_(identity.sector_size),
      raw_(layout_.slots(kNodesMax).size),
      views_(kNodesMax) {}

void SlotTable::update(std::span<const std::byte> read_bytes, unsigned slots) {
    CSS_CHECK(read_bytes.size() == layout_.slots(slots).size);
    for (std::size_t index = 0; index < slots; ++index) {
        update_slot(index, read_bytes.subspan(index * layout_.slot_size(), layout_.slot_size()));
    }
    last_ = slots;
    known_ = std::max(known_, slots);
}

void SlotTable::update_slot(std::size_t index, std::span<const std::byte> bytes) {
    const std::span<std::byte> slot_raw =
        std::span{raw_}.subspan(index * layout_.slot_size(), layout_.slot_size());
    const bool known = index < known_;
    if (known && same(slot_raw, bytes)) {
        return;
    }
    const auto changed = [&](std::size_t sector) {
        const std::size_t offset = sector * layout_.sector_size();
        const auto from = bytes.subspan(offset, layout_.sector_size());
        const auto to = slot_raw.subspan(offset, layout_.sector_size());
        if (known && same(to, from)) {
            return false;
        }
        std::memcpy(to.data(), from.data(), from.size());
        return true;
    };
    const auto sector = [&](std::size_t number) {
        return bytes.subspan(number * layout_.sector_size(), layout_.sector_size());
    };
    // What was decoded before must not be taken for what an unreadable sector says now.
    const auto clear_unless_valid = [](SectorVerdict verdict, auto& value) {
        if (verdict != SectorVerdict::kValid) {
            value = {};
        }
    };
    const NodeNumber node = NodeNumber::from_index(index);
    SlotView& view = views_[index];
    if (changed(kHeartbeatSector)) {
        view.heartbeat_verdict =
            decode_heartbeat(identity_, node, sector(kHeartbeatSector), view.heartbeat);
        clear_unless_valid(view.heartbeat_verdict, view.heartbeat);
    }
    if (changed(kBallotSector)) {
        view.ballot_verdict = decode_ballot(identity_, node, sector(kBallotSector), view.ballot);
        clear_unless_valid(view.ballot_verdict, view.ballot);
    }
    if (changed(kKillSector)) {
        view.kill_verdict = decode_kill(identity_, node, sector(kKillSector), view.kill);
        clear_unless_valid(view.kill_verdict, view.kill);
    }
}

std::span<const SlotView> SlotTable::views(unsigned slots) const {
    CSS_CHECK(slots <= last_);
    return std::span{views_}.first(slots);
}

bool SlotTable::shows_exactly(NodeNumber slot, std::span<const std::byte> written) const {
    CSS_CHECK(slot.value() <= last_);
    CSS_CHECK(written.size() == 2 * layout_.sector_size());
    const auto shown = std::span{raw_}.subspan(
        slot.index() * layout_.slot_size() + kHeartbeatSector * layout_.sector_size(),
        written.size());
    return same(shown, written);
}

}  // namespace css::voting
