#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cssd/base/record.h"
#include "cssd/base/result.h"
#include "cssd/core/io.h"
#include "voting/format/header.h"
#include "voting/quorum/quorum.h"

namespace css::runtime {

/// One path as it was found last.
struct FileSeen {
    voting::HeaderAt at;
    voting::PathHints hints{};       ///< Only with a valid header.
    bool configured = true;          ///< Else its path was learned from a hint.
    std::optional<FileIndex> place;  ///< Open, with this place.
};

/// Which file has which place, and which files are to be looked for. Made anew from everything that
/// is known whenever something has changed.
struct FilePlan {
    struct Place {
        std::optional<FileIndex> index;  ///< Nothing: it is not to be used.
        std::string reason;              ///< One line: why not.
        bool retired = false;            ///< It is open and has lost its place.
    };
    /// A file that no path is known to hold.
    struct Missing {
        FileIndex place;
        FileUid file;  ///< Zero: only its tag is known.
        FileTag tag;
        std::string path;  ///< Where it was, says a hint; empty: nobody says.
    };

    voting::Header newest;    ///< Of the newest generation; `file` is that of one of them.
    voting::PathHints hints;  ///< What most files say of each place.
    voting::Quorum in_force;  ///< By the newest record or header.
    std::vector<Place> of;    ///< In the order of the files.
    std::vector<Missing> missing;
};

/// `record` is the newest that the core knows; of incarnation 0 or null: it knows none. The places
/// are those of the record, which names files by tag; of the newest header; and, of files that were
/// only offered to the cluster, those of the hints. Refused as by compare_headers().
[[nodiscard]] Result<FilePlan> plan_files(std::string_view cluster_name,
                                          std::span<const FileSeen> files,
                                          const Record* record);

/// What the order of the core makes of the header: its tags as whole FUIDs, and hints for all files
/// whose path is known. Nothing: one of the tags is not known here.
[[nodiscard]] std::optional<voting::HeaderRegion> region_of(const core::HeaderOrder& order,
                                                            std::span<const FileSeen> files,
                                                            const FilePlan& plan);

/// The hints that `file` has not, of those among `files` that have a place in the record. Two that
/// write hints at once may undo each other's, and sectors get damaged: whoever sees it writes them
/// again. Nothing for a file whose header is not of the record's generation.
[[nodiscard]] voting::PathHints hints_lacking(const FileSeen& file,
                                              std::span<const FileSeen> files,
                                              const Record& record);

}  // namespace css::runtime
