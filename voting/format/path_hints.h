#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "cssd/base/types.h"
#include "voting/format/layout.h"

namespace css::voting {

/// A longer path has no place on a voting file.
inline constexpr std::size_t kPathMax = 150;

/// Where the file with this FUID was when it was made or added. Only a hint: whoever opens the path
/// looks at the FUID that it finds there. A hint for a file that is in no set yet says, besides,
/// which place it was offered for.
struct PathHint {
    FileUid file;  ///< Zero: nothing is known.
    std::string path;
    friend bool operator==(const PathHint&, const PathHint&) = default;
};
/// By place of the file table.
using PathHints = std::array<PathHint, kFilesMax>;

/// `old` with what `news` knows in its place.
[[nodiscard]] PathHints merged(PathHints old, const PathHints& news);

/// They stand behind the header, in the rest of its kHeaderSize bytes, in sectors with a checksum
/// of their own each. `region` begins with the header, which is left alone.
void encode_path_hints(const PathHints& hints, std::span<std::byte, kHeaderSize> region);
/// Whether each sector of them has the checksum that it should, or was never written.
[[nodiscard]] bool are_path_hints_readable(std::span<const std::byte, kHeaderSize> region);
/// What is unreadable counts as unknown.
[[nodiscard]] PathHints decode_path_hints(std::span<const std::byte, kHeaderSize> region);

}  // namespace css::voting
