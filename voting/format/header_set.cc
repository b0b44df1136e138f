#include <algorithm>
#include <functional>

#include "voting/format/header.h"

namespace css::voting {
namespace {

Error conflict(std::string message) {
    return Error{ErrorCode::kConflict, 0, std::move(message)};
}

using Readable = std::vector<std::reference_wrapper<const HeaderAt>>;

Readable readable_of(std::span<const HeaderAt> files) {
    Readable readable;
    for (const HeaderAt& at : files) {
        if (at.verdict == SectorVerdict::kValid) {
            readable.emplace_back(at);
        }
    }
    return readable;
}

std::string why_unreadable(const HeaderAt& at) {
    return at.path + (at.verdict == SectorVerdict::kNotRead
                          ? std::string{": the header could not be read"}
                          : ": no valid voting file header (" + std::string{name_of(at.verdict)} +
                                "); give a file made by votefile create");
}

/// The header that most others agree with about the cluster, so that a complaint names the odd one.
const HeaderAt& most_agreed(const Readable& readable) {
    const auto agreement = [&](const HeaderAt& with) {
        return std::count_if(readable.begin(), readable.end(), [&](const HeaderAt& at) {
            return at.header.cluster == with.header.cluster;
        });
    };
    return *std::max_element(
        readable.begin(), readable.end(), [&](const HeaderAt& a, const HeaderAt& b) {
            return agreement(a) < agreement(b);
        });
}

Status check_same_cluster(const Readable& readable) {
    const HeaderAt& right = most_agreed(readable);
    for (const HeaderAt& at : readable) {
        if (at.header.cluster != right.header.cluster) {
            return conflict(at.path + " belongs to another cluster with GUID " +
                            to_hex(at.header.cluster.bytes) + ": " + right.path + " has GUID " +
                            to_hex(right.header.cluster.bytes) + "; give files formatted together");
        }
        if (at.header.sector_size != right.header.sector_size) {
            return conflict(at.path + " has sectors of " + std::to_string(at.header.sector_size) +
                            " bytes: " + right.path + " has " +
                            std::to_string(right.header.sector_size) +
                            "; give files formatted together");
        }
    }
    return Done{};
}

Status check_names(std::string_view cluster_name, const Readable& readable) {
    for (const HeaderAt& at : readable) {
        if (at.header.cluster_name != cluster_name) {
            return conflict(at.path + " belongs to cluster '" + at.header.cluster_name +
                            "': give a voting file of cluster '" + std::string{cluster_name} + "'");
        }
    }
    return Done{};
}

Status check_no_duplicate(const Readable& readable) {
    for (std::size_t i = 0; i < readable.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const HeaderAt& a = readable[j];
            const HeaderAt& b = readable[i];
            if (a.header.file == b.header.file) {
                return conflict(b.path + " is the same voting file as " + a.path + " (FUID " +
                                to_hex(a.header.file.bytes) +
                                "): give each file once, and no copies");
            }
        }
    }
    return Done{};
}

const HeaderAt& newest_of(const Readable& readable) {
    return *std::max_element(
        readable.begin(), readable.end(), [](const HeaderAt& a, const HeaderAt& b) {
            return a.header.generation < b.header.generation;
        });
}

/// Everything but the FUID of the file itself is the same in all headers of one generation.
Status check_same_generation_agrees(const HeaderAt& newest, const Readable& readable) {
    for (const HeaderAt& at : readable) {
        Header as_newest = at.header;
        as_newest.file = newest.header.file;
        if (at.header.generation == newest.header.generation && as_newest != newest.header) {
            return conflict(at.path + " and " + newest.path +
                            " contradict each other in generation " +
                            std::to_string(newest.header.generation) +
                            ": give files of one set, without old copies");
        }
    }
    return Done{};
}

HeaderSet::File place(const HeaderAt& at, const HeaderAt& newest) {
    if (at.verdict != SectorVerdict::kValid) {
        return {std::nullopt, why_unreadable(at)};
    }
    // A set that was replaced must not decide anything any more (PROTOCOL 7, Voting files): the
    // newest header says which files there are, also when their own headers could not be renewed.
    const std::optional<FileIndex> index = index_of(newest.header, at.header.file);
    if (!index) {
        return {std::nullopt,
                at.path + " is not in the set of voting files that " +
                    (at.path == newest.path ? "its own header" : newest.path) +
                    " names in generation " + std::to_string(newest.header.generation) +
                    ": add it with crsctl add css votedisk"};
    }
    return {index, ""};
}

}  // namespace

Status check_file_count(std::size_t count) {
    if (count < 1 || count > kFilesMax || count % 2 == 0) {
        return Error{
            ErrorCode::kInvalid,
            0,
            std::to_string(count) + " voting files are given: give an odd count from 1 to 15"};
    }
    return Done{};
}

Result<HeaderSet> compare_headers(std::string_view cluster_name, std::span<const HeaderAt> files) {
    if (const Status count = check_file_count(files.size()); !count) {
        return count.error();
    }
    return match_headers(cluster_name, files);
}

Result<HeaderSet> match_headers(std::string_view cluster_name, std::span<const HeaderAt> files) {
    CSS_CHECK(!files.empty());
    const Readable readable = readable_of(files);
    if (readable.empty()) {
        return conflict("none of the voting files can be used; the first: " +
                        why_unreadable(files.front()));
    }
    const HeaderAt& newest = newest_of(readable);
    for (const Status& status : {check_names(cluster_name, readable),
                                 check_same_cluster(readable),
                                 check_no_duplicate(readable),
                                 check_same_generation_agrees(newest, readable)}) {
        if (!status) {
            return status.error();
        }
    }
    HeaderSet set;
    set.newest = newest.header;
    for (const HeaderAt& at : files) {
        set.files.push_back(place(at, newest));
    }
    return set;
}

}  // namespace css::voting
