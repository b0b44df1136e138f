#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cssd/base/record.h"
#include "cssd/base/result.h"
#include "cssd/base/timing.h"
#include "cssd/base/types.h"
#include "voting/format/codec.h"
#include "voting/format/layout.h"
#include "voting/format/path_hints.h"
#include "voting/format/sectors.h"

namespace css::voting {

inline constexpr std::size_t kClusterNameMax = 64;

/// One place of the file table. A place is never reused while a record that names it may be in
/// force; one not in use keeps the FUID it last had.
struct TableEntry {
    FileUid uid;
    bool in_use = false;
    friend bool operator==(const TableEntry&, const TableEntry&) = default;
};
using FileTable = std::array<TableEntry, kFilesMax>;

/// The header of one voting file (PROTOCOL 3).
struct Header {
    ClusterGuid cluster;
    std::string cluster_name;  ///< 1..64 characters: letters, digits, '-', '_', '.'.
    FileUid file;              ///< This very file; drawn anew each time it is formatted.
    unsigned sector_size = kSectorSizeSmall;
    unsigned slots_max = kNodesMax;  ///< Largest node number of the cluster, 1..64.
    std::uint64_t generation = 1;    ///< Of table and files; grows with every change of the set.
    FileTable table;
    FileSet files;          ///< The files in force in this generation.
    Parameters parameters;  ///< Of R_0.
    friend bool operator==(const Header&, const Header&) = default;

    [[nodiscard]] SectorIdentity identity() const { return {cluster, file, sector_size}; }
};

/// All that stands before the slots of one file.
struct HeaderRegion {
    Header header;
    PathHints hints;
    friend bool operator==(const HeaderRegion&, const HeaderRegion&) = default;
};

/// Whether the name may be a cluster's; the error says what is allowed.
[[nodiscard]] Status check_cluster_name(std::string_view name);

/// `bytes` is Layout::header(): the first kHeaderSize bytes of the file, at both sector sizes. No
/// hints, or these.
void encode_header(const Header& header, std::span<std::byte, kHeaderSize> bytes);
void encode_region(const HeaderRegion& region, std::span<std::byte, kHeaderSize> bytes);
/// Checks checksum, magic, version, kind, slot, contents; `out` is written only for kValid.
[[nodiscard]] SectorVerdict decode_header(std::span<const std::byte, kHeaderSize> bytes,
                                          Header& out);
/// The hints as well; they never make a header unreadable.
[[nodiscard]] SectorVerdict decode_region(std::span<const std::byte, kHeaderSize> bytes,
                                          HeaderRegion& out);
/// True when the bytes begin as one of our headers does, however damaged the rest is.
[[nodiscard]] bool looks_like_header(std::span<const std::byte, kHeaderSize> bytes);

/// The first four bytes of a FUID, as a record names the file.
[[nodiscard]] FileTag tag_of(const FileUid& file);
/// R_0: no members, the parameters and files of the header.
[[nodiscard]] Record genesis_record(const Header& header);
/// The place that this header gives to a file; nothing when the file is in none of its sets.
[[nodiscard]] std::optional<FileIndex> index_of(const Header& header, const FileUid& file);

/// One configured voting file as it was found.
struct HeaderAt {
    std::string path;
    SectorVerdict verdict = SectorVerdict::kNotRead;  ///< Of decode_header.
    Header header;                                    ///< Only for kValid.
};

/// The configured files that belong together.
struct HeaderSet {
    struct File {
        std::optional<FileIndex> index;  ///< Its place in the table; nothing: do not use it now.
        std::string reason;              ///< One line: why not.
    };
    Header newest;            ///< Of the newest generation; `file` is that of one of them.
    std::vector<File> files;  ///< In the order they were given.
};

/// Voting files come in odd counts from 1 to 15.
[[nodiscard]] Status check_file_count(std::size_t count);

/// Finds the set: that of the header with the newest generation. `files` are *all* configured
/// files, also those that could not be read: these, and files that are not in the set, are left
/// out, with a reason; the daemon looks at them again later by calling this again. Refused (one
/// line naming the path and what would be right): an even count, none or more than 15; no readable
/// header at all; another cluster's name; two GUIDs; different sector sizes; the same file twice;
/// headers of one generation that differ in the files that they name.
[[nodiscard]] Result<HeaderSet> compare_headers(std::string_view cluster_name,
                                                std::span<const HeaderAt> files);
/// The same for some of the files of a set, however many; `files` is not empty.
[[nodiscard]] Result<HeaderSet> match_headers(std::string_view cluster_name,
                                              std::span<const HeaderAt> files);

/// 32 lower-case hex digits, as people see a GUID or FUID.
[[nodiscard]] std::string to_hex(const Bytes16& bytes);

}  // namespace css::voting
