#include "cssd/runtime/file_plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace css::runtime {
namespace {

using voting::PathHint;
using voting::PathHints;

bool readable(const FileSeen& file) {
    return file.at.verdict == SectorVerdict::kValid;
}

/// By the files with the newest header: in older ones stand files that have left the set since.
PathHint most_told(std::span<const FileSeen> files, std::uint64_t generation, std::size_t place) {
    std::map<std::pair<Bytes16, std::string>, unsigned> votes;
    PathHint best;
    unsigned most = 0;
    for (const FileSeen& file : files) {
        const PathHint& hint = file.hints.at(place);
        if (!readable(file) || file.at.header.generation != generation || hint.file == FileUid{}) {
            continue;
        }
        const unsigned now = ++votes[{hint.file.bytes, hint.path}];
        if (now > most) {
            most = now;
            best = hint;
        }
    }
    return best;
}

/// Of two paths to one file the one that is open, else the first, is used: that one, if it is not
/// i.
std::optional<std::size_t> same_file_before(std::span<const FileSeen> files, std::size_t i) {
    for (std::size_t j = 0; j < files.size(); ++j) {
        if (j == i || !readable(files[j]) || !readable(files[i]) ||
            files[j].at.header.file != files[i].at.header.file) {
            continue;
        }
        const bool other_first = files[j].place.has_value() != files[i].place.has_value()
                                     ? files[j].place.has_value()
                                     : j < i;
        if (other_first) {
            return j;
        }
    }
    return std::nullopt;
}

/// The files as compare_headers() is to see them: a path that was learned, and one beside a file in
/// use, complain about nobody.
std::vector<voting::HeaderAt> comparable(std::span<const FileSeen> files) {
    const bool any_open = std::any_of(
        files.begin(), files.end(), [](const FileSeen& file) { return file.place.has_value(); });
    std::vector<voting::HeaderAt> headers;
    for (std::size_t i = 0; i < files.size(); ++i) {
        voting::HeaderAt at = files[i].at;
        if ((any_open || !files[i].configured) && same_file_before(files, i)) {
            at.verdict = SectorVerdict::kNotRead;
        }
        headers.push_back(at);
    }
    return headers;
}

class Planner {
public:
    Planner(std::span<const FileSeen> files, const Record* record, FilePlan& plan)
        : files_(files), record_(record), plan_(plan) {
        for (std::size_t i = 0; i < kFilesMax; ++i) {
            plan_.hints.at(i) = most_told(files_, plan_.newest.generation, i);
        }
        // The record is newer than all headers until they have been renewed.
        by_record_ = record_ != nullptr && record_->files_generation >= plan_.newest.generation;
        plan_.in_force =
            by_record_ ? voting::Quorum(*record_) : voting::Quorum(plan_.newest.files, FileSet{});
        for (std::size_t i = 0; i < files_.size(); ++i) {
            plan_.of.push_back(place(i));
        }
        look_for_missing();
    }

private:
    [[nodiscard]] FilePlan::Place place(std::size_t i) const {
        const FileSeen& file = files_[i];
        if (!readable(file)) {
            return {std::nullopt, file.at.path + ": not read yet", false};
        }
        if (const auto other = same_file_before(files_, i)) {
            return {std::nullopt,
                    file.at.path + " is the same voting file as " + files_[*other].at.path,
                    false};
        }
        const FileUid& uid = file.at.header.file;
        if (const auto index = in_set(uid)) {
            return {index, "", false};
        }
        if (const auto index = offered(uid)) {
            return {index, "", false};
        }
        return {std::nullopt,
                file.at.path + " (FUID " + voting::to_hex(uid.bytes) +
                    ") is not in the set of voting files of this cluster: add it with crsctl add "
                    "css votedisk",
                file.place.has_value()};
    }

    [[nodiscard]] std::optional<FileIndex> in_set(const FileUid& uid) const {
        if (record_ != nullptr) {
            for (const FileIndex f : voting::Quorum(*record_).all()) {
                if (record_->file_tags[f] == voting::tag_of(uid)) {
                    return f;
                }
            }
        }
        return by_record_ ? std::nullopt : voting::index_of(plan_.newest, uid);
    }

    [[nodiscard]] std::optional<FileIndex> offered(const FileUid& uid) const {
        for (std::size_t i = 0; i < kFilesMax; ++i) {
            const FileIndex f = FileIndex::from_index(i);
            if (plan_.hints.at(i).file == uid && !taken(f)) {
                return f;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] bool taken(FileIndex f) const {
        return (record_ != nullptr && voting::Quorum(*record_).all().contains(f)) ||
               (!by_record_ && plan_.newest.table.at(f.index()).in_use);
    }

    void look_for_missing() {
        for (std::size_t i = 0; i < kFilesMax; ++i) {
            const FileIndex f = FileIndex::from_index(i);
            FilePlan::Missing file;
            file.place = f;
            const PathHint& hint = plan_.hints.at(i);
            const voting::TableEntry& entry = plan_.newest.table.at(i);
            if (record_ != nullptr && voting::Quorum(*record_).all().contains(f)) {
                file.tag = record_->file_tags[f];
            } else if (!by_record_ && entry.in_use) {
                file.tag = voting::tag_of(entry.uid);
            } else {
                file.tag = voting::tag_of(hint.file);  // Offered, or zero.
            }
            if (file.tag == FileTag{} || found(file.tag)) {
                continue;
            }
            if (voting::tag_of(entry.uid) == file.tag) {
                file.file = entry.uid;
            }
            if (voting::tag_of(hint.file) == file.tag) {
                file.file = hint.file;
                file.path = hint.path;
            }
            plan_.missing.push_back(file);
        }
    }

    /// A configured path that held the file last is where it is, also while it cannot be read: a
    /// node whose own way to a file is lost is not to reach it by another node's path.
    [[nodiscard]] bool found(FileTag tag) const {
        return std::any_of(files_.begin(), files_.end(), [tag](const FileSeen& file) {
            return (readable(file) || file.configured) &&
                   voting::tag_of(file.at.header.file) == tag;
        });
    }

    std::span<const FileSeen> files_;
    const Record* record_;
    FilePlan& plan_;
    bool by_record_ = false;
};

}  // namespace

Result<FilePlan> plan_files(std::string_view cluster_name,
                            std::span<const FileSeen> files,
                            const Record* record) {
    const Result<voting::HeaderSet> set = voting::match_headers(cluster_name, comparable(files));
    if (!set) {
        return set.error();
    }
    const bool known = record != nullptr && record->incarnation != Incarnation{};
    FilePlan plan;
    plan.newest = set->newest;
    Planner{files, known ? record : nullptr, plan};
    return plan;
}

std::optional<voting::HeaderRegion> region_of(const core::HeaderOrder& order,
                                              std::span<const FileSeen> files,
                                              const FilePlan& plan) {
    voting::HeaderRegion region;
    region.header = plan.newest;
    region.header.generation = order.generation;
    region.header.files = order.files;
    region.header.table = {};
    for (const FileIndex f : order.in_use) {
        const std::size_t place = f.index();
        PathHint known;
        for (const FileSeen& file : files) {
            if (readable(file) && voting::tag_of(file.at.header.file) == order.tags[f]) {
                known = {file.at.header.file, file.at.path};
            }
        }
        if (known.file == FileUid{} && voting::tag_of(plan.hints.at(place).file) == order.tags[f]) {
            known = plan.hints.at(place);
        }
        const FileUid& listed = plan.newest.table.at(place).uid;
        if (known.file == FileUid{} && voting::tag_of(listed) == order.tags[f]) {
            known.file = listed;
        }
        if (known.file == FileUid{}) {
            return std::nullopt;
        }
        region.header.table.at(place) = {known.file, true};
        // What stands there already is where the file was added.
        const bool told = plan.hints.at(place).file == known.file;
        if (!told && known.path.size() <= voting::kPathMax) {
            region.hints.at(place) = known;
        }
    }
    return region;
}

voting::PathHints hints_lacking(const FileSeen& file,
                                std::span<const FileSeen> files,
                                const Record& record) {
    voting::PathHints lacking;
    if (!readable(file) || file.at.header.generation != record.files_generation) {
        return lacking;
    }
    for (const FileSeen& other : files) {
        if (!readable(other) || !other.place || !record.files.contains(*other.place)) {
            continue;
        }
        const FileUid& uid = other.at.header.file;
        const std::size_t place = other.place->index();
        if (voting::tag_of(uid) == record.file_tags[*other.place] &&
            file.hints.at(place).file != uid && other.at.path.size() <= voting::kPathMax) {
            lacking.at(place) = {uid, other.at.path};
        }
    }
    return lacking;
}

}  // namespace css::runtime
