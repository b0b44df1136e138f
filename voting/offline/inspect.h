#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "voting/format/header.h"
#include "voting/format/sectors.h"
#include "voting/offline/voting_device.h"

namespace css::voting {

/// Everything on one voting file, as one read showed it.
struct Inspected {
    std::string path;
    SectorVerdict header_verdict = SectorVerdict::kNotRead;
    Header header;                 ///< Only when the verdict is kValid, as are the slots.
    std::vector<SlotView> slots;   ///< All 64; slots[0] is node 1's. Fewer: the file is cut short.
    std::vector<std::byte> bytes;  ///< As read, for comparison.

    [[nodiscard]] HeaderAt header_at() const { return {path, header_verdict, header}; }
};

Result<Inspected> inspect(const std::string& path);
Result<Inspected> inspect(const VotingDevice& device);

/// Whether there is something to show: written once, or not readable.
[[nodiscard]] bool is_used(const SlotView& slot);

}  // namespace css::voting
