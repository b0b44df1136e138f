#include <algorithm>
#include <utility>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/voting_files.h"

// Which file has which place, which are opened and which are let go.

namespace css::runtime {

using config::LogLevel;

/// Under the lock.
std::vector<FileSeen> VotingFiles::seen() const {
    std::vector<FileSeen> seen;
    for (std::size_t i = 0; i < files_count_; ++i) {
        seen.push_back(files_[i].seen);
    }
    return seen;
}

/// Under the lock.
Result<FilePlan> VotingFiles::plan() const {
    Result<FilePlan> plan =
        plan_files(options_.cluster_name, seen(), record_ ? &*record_ : nullptr);
    if (plan) {
        // What this node offers counts before anybody has written it down.
        plan->hints = voting::merged(plan->hints, offers_);
    }
    return plan;
}

/// Under the lock.
FileSet VotingFiles::accepted() const {
    FileSet files;
    for (std::size_t i = 0; i < files_count_; ++i) {
        if (files_[i].seen.place) {
            files.insert(*files_[i].seen.place);
        }
    }
    return files;
}

Result<FileIndex> VotingFiles::opened(std::size_t i, const voting::HeaderRegion& region) {
    Result<FileIndex> placed = FileIndex{};
    {
        const std::lock_guard lock{mutex_};
        File& file = files_[i];
        file.tried = true;
        file.seen.at.verdict = SectorVerdict::kValid;
        file.seen.at.header = region.header;
        file.seen.hints = region.hints;
        file.uid = region.header.file;
        placed = place(i);
        file.refused_here = !placed;
        if (placed) {
            file.seen.place = *placed;
            file.last_index = *placed;
            file.problem.clear();
            file.retired_since = kNever;
            by_index_[*placed].store(file.thread.get());
            if (offers_ != voting::PathHints{}) {
                file.thread->write_hints(offers_);
            }
        } else {
            file.problem = placed.error().message;
        }
    }
    if (placed) {
        trace(LogLevel::kInfo, i, "opened, FUID " + voting::to_hex(region.header.file.bytes));
    }
    on_change_();
    return placed;
}

/// Under the lock. Which place the file has by everything that is known so far.
Result<FileIndex> VotingFiles::place(std::size_t i) {
    const Result<FilePlan> now = plan();
    if (!now) {
        set_fault(now.error().message);
        if (!found_) {
            // One of the others may be the odd one: all are looked at again.
            give_up_others(i, fault_);
        }
        return now.error();
    }
    const FilePlan::Place& place = now->of[i];
    if (!place.index) {
        return Error{ErrorCode::kConflict, 0, place.reason};
    }
    for (std::size_t j = 0; j < files_count_; ++j) {
        if (j != i && files_[j].seen.place == place.index) {
            return Error{
                ErrorCode::kConflict,
                0,
                files_[i].seen.at.path + ": its place is still " + files_[j].seen.at.path + "'s"};
        }
    }
    fault_.clear();
    return *place.index;
}

void VotingFiles::region_read(std::size_t i, const voting::HeaderRegion& region) {
    {
        const std::lock_guard lock{mutex_};
        files_[i].seen.at.header = region.header;
        files_[i].seen.hints = region.hints;
    }
    on_change_();
}

std::optional<voting::HeaderRegion> VotingFiles::region_ordered(const core::HeaderOrder& order) {
    const std::lock_guard lock{mutex_};
    const Result<FilePlan> now = plan();
    return now ? region_of(order, seen(), *now) : std::nullopt;
}

/// Under the lock.
void VotingFiles::give_up_others(std::size_t i, const std::string& reason) {
    for (std::size_t j = 0; j < files_count_; ++j) {
        if (j != i && files_[j].seen.place) {
            files_[j].refused_here = true;
            files_[j].thread->reopen(Error{ErrorCode::kConflict, 0, reason});
        }
    }
}

/// Under the lock. Logging never waits.
void VotingFiles::set_fault(const std::string& fault) {
    if (fault != fault_) {
        fault_ = fault;
        log_.alert("CRS-1657: Warning: " + fault);
    }
}

// ------------------------------------------------------------------------------------- settling

void VotingFiles::settle(const Record* record) {
    Result<FilePlan> now = Error{};
    {
        const std::lock_guard lock{mutex_};
        record_ = record != nullptr ? std::optional{*record} : std::nullopt;
        now = plan();
        if (!now) {
            return;  // opened() has said so.
        }
        close_lost(*now);
        restore_hints();
    }
    drop_learned(*now);
    open_missing(*now);
}

/// Under the lock. Files that have another place now, or none.
void VotingFiles::close_lost(const FilePlan& plan) {
    for (std::size_t i = 0; i < files_count_; ++i) {
        File& file = files_[i];
        const FilePlan::Place& place = plan.of[i];
        if (file.seen.place && file.seen.place != place.index) {
            if (file.retired_since == kNever) {
                file.retired_since = boot_now();
            }
            // Its header is to say so, too, for whoever starts with this file alone.
            const bool says =
                !record_ || file.seen.at.header.generation >= record_->files_generation;
            if (place.index || says || boot_now() >= file.retired_since + kLetGoPatience) {
                file.refused_here = true;
                file.thread->reopen(Error{ErrorCode::kConflict, 0, place.reason});
            }
        } else if (file.seen.place) {
            tell_unconfigured(file);
        }
    }
}

/// Under the lock.
void VotingFiles::restore_hints() {
    const std::vector<FileSeen> all = seen();
    for (std::size_t i = 0; record_ && i < files_count_; ++i) {
        if (!all[i].place) {
            continue;
        }
        const voting::PathHints lacking = hints_lacking(all[i], all, *record_);
        if (lacking != voting::PathHints{}) {
            files_[i].thread->write_hints(lacking);
        }
    }
}

/// Under the lock. A daemon that is started when none of its configured files is left finds none.
void VotingFiles::tell_unconfigured(File& file) {
    const bool in_force = record_ && record_->files.contains(*file.seen.place) &&
                          record_->file_tags[*file.seen.place] == voting::tag_of(*file.uid);
    if (!file.seen.configured && in_force && !file.told_unconfigured) {
        file.told_unconfigured = true;
        log_.alert("CRS-1657: Warning: voting file " + file.seen.at.path +
                   " is not in the configuration of this node: add `voting_file = " +
                   file.seen.at.path + "`, and take out what has left the set");
    }
}

void VotingFiles::open_missing(const FilePlan& plan) {
    for (const FilePlan::Missing& missing : plan.missing) {
        std::optional<std::size_t> added;
        {
            const std::lock_guard lock{mutex_};
            const bool known =
                std::any_of(files_.begin(),
                            files_.begin() + static_cast<std::ptrdiff_t>(files_count_),
                            [&](const File& file) { return file.seen.at.path == missing.path; });
            // A configured path that nobody has looked at yet may be the way to this very file.
            const bool follow = !missing.path.empty() && !known && has_looked();
            if (follow && files_count_ < kPathsMax) {
                added = add_path(missing.path, false);
            }
        }
        if (!added) {
            continue;
        }
        if (const Status started = start_thread(*added); !started) {
            log_.alert("CRS-1657: Warning: " + started.error().message);
            continue;
        }
        trace(LogLevel::kInfo, *added, "learned from a hint on the other voting files");
        files_[*added].thread->acquire_slot();
    }
}

/// A learned path that holds no file of the cluster any more is left alone.
void VotingFiles::drop_learned(const FilePlan& plan) {
    for (std::size_t i = 0; i < plan.of.size(); ++i) {
        File& file = files_[i];
        bool drop = false;
        {
            const std::lock_guard lock{mutex_};
            // Not at once: an order that crossed with the closing is still to be answered.
            drop = !file.seen.configured && file.thread != nullptr && !file.seen.place &&
                   !plan.of[i].index && file.refused_here && file.retired_since != kNever &&
                   boot_now() >= file.retired_since + 2 * kLetGoPatience;
        }
        if (drop && file.thread->stop() == voting::DiskThread::StopOutcome::kEnded) {
            trace(LogLevel::kInfo, i, "it has left the set: let go");
            const std::lock_guard lock{mutex_};
            file = File{};  // Its path may be learned again.
        }
    }
}

void VotingFiles::offer(const voting::PathHints& files) {
    {
        const std::lock_guard lock{mutex_};
        offers_ = voting::merged(offers_, files);
        for (std::size_t i = 0; i < files_count_; ++i) {
            if (files_[i].seen.place) {
                files_[i].thread->write_hints(offers_);
            }
        }
    }
    on_change_();
}

std::optional<FileIndex> VotingFiles::place_for(const FileUid& file, FileSet named) const {
    const std::lock_guard lock{mutex_};
    const Result<FilePlan> now = plan();
    if (!now) {
        return std::nullopt;
    }
    std::optional<FileIndex> unused;
    std::optional<FileIndex> offered;
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        const FileIndex f = FileIndex::from_index(i);
        const bool listed = now->newest.table.at(i).in_use;
        if (named.contains(f) || listed) {
            continue;
        }
        if (now->hints.at(i).file == file) {
            return f;
        }
        std::optional<FileIndex>& free = now->hints.at(i).file == FileUid{} ? unused : offered;
        free = free.value_or(f);
    }
    return unused ? unused : offered;
}

}  // namespace css::runtime
