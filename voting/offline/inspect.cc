#include "voting/offline/inspect.h"

#include <algorithm>

#include "voting/format/slot_table.h"

namespace css::voting {

Result<Inspected> inspect(const VotingDevice& device) {
    Result<std::vector<std::byte>> bytes = device.read();
    if (!bytes) {
        return bytes.error();
    }
    Inspected found;
    found.path = device.path();
    found.bytes = std::move(*bytes);
    if (found.bytes.size() < kHeaderSize) {
        return Error{ErrorCode::kInvalid,
                     0,
                     found.path + " has " + std::to_string(found.bytes.size()) +
                         " bytes: too few for a voting file; make one with votefile create"};
    }
    const std::span<const std::byte> all{found.bytes};
    found.header_verdict = decode_header(all.first<kHeaderSize>(), found.header);
    if (found.header_verdict != SectorVerdict::kValid) {
        return found;
    }
    const Layout layout{found.header.sector_size};
    const auto there =
        std::min<std::size_t>((all.size() - kHeaderSize) / layout.slot_size(), kNodesMax);
    if (there > 0) {
        const auto slots = static_cast<unsigned>(there);
        SlotTable table{found.header.identity()};
        table.update(all.subspan(kHeaderSize, layout.slots(slots).size), slots);
        const std::span<const SlotView> views = table.views(slots);
        found.slots.assign(views.begin(), views.end());
    }
    return found;
}

Result<Inspected> inspect(const std::string& path) {
    const Result<VotingDevice> device = VotingDevice::open(path, VotingDevice::Access::kRead);
    if (!device) {
        return device.error();
    }
    return inspect(*device);
}

bool is_used(const SlotView& slot) {
    return slot.heartbeat_verdict != SectorVerdict::kValid ||
           slot.ballot_verdict != SectorVerdict::kValid ||
           slot.kill_verdict != SectorVerdict::kValid || slot.heartbeat.written() ||
           slot.ballot.instance != Incarnation{} || slot.kill.victim != Unique{};
}

}  // namespace css::voting
