#pragma once

#include <cstddef>
#include <string>

#include "cssd/base/result.h"
#include "voting/format/header.h"
#include "voting/offline/voting_device.h"

namespace css::voting {

/// A universal id drawn at random, for a file that is to be formatted.
[[nodiscard]] FileUid draw_file_uid();

/// Formatting, in two steps: empty slots and no header, then the header, so that no half formatted
/// file looks like a whole one. `header.file` is the new file's FUID. Grows a plain file.
[[nodiscard]] Status write_slots(VotingDevice& device, const Header& header);
[[nodiscard]] Status write_region(const VotingDevice& device, const HeaderRegion& region);

/// The name of a plain file made anew is to survive a power cut as well.
[[nodiscard]] Status sync_directory(const std::string& path);

/// One more voting file for a cluster that runs.
struct NewFile {
    FileUid file;
    bool formatted = false;  ///< Else it was one of this cluster already, in no set.
};

/// Makes the file or device at `path` one of the cluster that `set` is of, with no place in its
/// table yet. What is there may be nothing, zeros, or a file of this cluster that is in no set.
/// That one is taken as it is: somebody may have offered it before and be about to decide on it, by
/// its FUID; and what stands there of former times is true. Anything else is refused and unchanged.
/// Waits for the device.
[[nodiscard]] Result<NewFile> prepare_file(const std::string& path, const HeaderRegion& set);

}  // namespace css::voting
