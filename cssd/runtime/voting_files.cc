#include "cssd/runtime/voting_files.h"

#include <algorithm>
#include <utility>

#include "cssd/runtime/clock.h"

namespace css::runtime {

using config::LogLevel;

Result<std::unique_ptr<VotingFiles>> VotingFiles::start(Options options,
                                                        CoreHost& core,
                                                        Log& log,
                                                        std::function<void()> on_change) {
    if (const Status count = voting::check_file_count(options.paths.size()); !count) {
        return count.error();
    }
    std::unique_ptr<VotingFiles> files{
        new VotingFiles{std::move(options), core, log, std::move(on_change)}};
    for (std::size_t i = 0; i < files->files_.size(); ++i) {
        if (const Status started = files->start_thread(i); !started) {
            return started.error();
        }
    }
    // Only now: before, a callback could have looked for the thread of a file that had none yet.
    for (File& file : files->files_) {
        file.thread->acquire_slot();
    }
    return files;
}

VotingFiles::VotingFiles(Options options, CoreHost& core, Log& log, std::function<void()> on_change)
    : options_(std::move(options)),
      started_at_(boot_now()),
      core_(core),
      log_(log),
      on_change_(std::move(on_change)) {
    for (const std::string& path : options_.paths) {
        File& file = files_.emplace_back();
        file.path = path;
        file.header.path = path;
        file.problem = path + ": not opened yet";
    }
}

VotingFiles::~VotingFiles() {
    static_cast<void>(stop());
}

Status VotingFiles::start_thread(std::size_t i) {
    voting::DiskThreadOptions options;
    options.path = files_[i].path;
    options.thread_name = "diskping " + std::to_string(i + 1);
    options.self = options_.self;
    options.cluster_name = options_.cluster_name;
    voting::DiskCallbacks& calls = options.callbacks;
    calls.on_opened = [this, i](const voting::Header& header, const std::string&) {
        return opened(i, header);
    };
    calls.on_closed = [this, i](const Error& reason) { closed(i, reason); };
    calls.on_cannot_open = [this, i](const Error& reason) { cannot_open(i, reason); };
    calls.on_slot = [this, i](voting::SlotOwnership ownership) { slot(i, ownership); };
    calls.on_cycle = [this, i](const core::CycleFinished& f) { cycle_finished(i, f); };
    calls.on_cycle_failed = [this, i](const Error& reason) {
        trace(LogLevel::kWarning, i, "cycle failed: " + reason.message);
    };
    calls.on_late = [this, i](const voting::LateIo& io) { late(i, io); };
    calls.on_late_ended = [this, i](const voting::LateIo&) { late_ended(i); };
    // A thread may call opened() before this function returns: under the lock it finds its own.
    const std::lock_guard lock{mutex_};
    auto thread = voting::DiskThread::start(std::move(options));
    if (!thread) {
        return thread.error();
    }
    files_[i].thread = std::move(*thread);
    return Done{};
}

Result<FileIndex> VotingFiles::opened(std::size_t i, const voting::Header& header) {
    Result<FileIndex> placed = FileIndex{};
    {
        const std::lock_guard lock{mutex_};
        File& file = files_[i];
        file.tried = true;
        file.header.verdict = SectorVerdict::kValid;
        file.header.header = header;
        file.uid = header.file;
        placed = place(i);
        file.refused_here = !placed;
        if (placed) {
            file.index = *placed;
            file.last_index = *placed;
            file.problem.clear();
            by_index_[*placed].store(file.thread.get());
        } else {
            file.problem = placed.error().message;
        }
    }
    if (placed) {
        trace(LogLevel::kInfo, i, "opened, FUID " + voting::to_hex(header.file.bytes));
        on_change_();
    }
    return placed;
}

/// Under the lock. Where the file belongs in the set that all headers read so far make.
Result<FileIndex> VotingFiles::place(std::size_t i) {
    std::vector<voting::HeaderAt> headers;
    for (const File& file : files_) {
        headers.push_back(file.header);
    }
    const Result<voting::HeaderSet> set = voting::compare_headers(options_.cluster_name, headers);
    if (!set) {
        set_fault(set.error().message);
        if (!found_) {
            // One of the others may be the odd one: all are looked at again.
            give_up_others(i, nullptr, fault_);
        }
        return set.error();
    }
    give_up_others(i, &*set, "a newer generation of the voting files was found");
    if (!set->files[i].index) {
        return Error{ErrorCode::kConflict, 0, set->files[i].reason};
    }
    if (found_ && set->newest.generation != found_->generation) {
        set_fault(files_[i].path +
                  " has another generation of the voting files than this daemon "
                  "was started with: start it again");
        return Error{ErrorCode::kConflict, 0, fault_};
    }
    fault_.clear();
    return *set->files[i].index;
}

/// Under the lock. Closes the accepted files that have no place in `set` (nothing: all of them).
void VotingFiles::give_up_others(std::size_t i,
                                 const voting::HeaderSet* set,
                                 const std::string& reason) {
    for (std::size_t j = 0; j < files_.size(); ++j) {
        const bool stays = set != nullptr && set->files[j].index == files_[j].index;
        if (j != i && files_[j].index && !stays) {
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

void VotingFiles::closed(std::size_t i, const Error& reason) {
    std::optional<FileIndex> told;
    {
        const std::lock_guard lock{mutex_};
        File& file = files_[i];
        if (std::exchange(file.told_core, false)) {
            told = file.index;
        }
        file.index.reset();
        if (!file.refused_here) {
            file.header.verdict = SectorVerdict::kNotRead;
        }
        file.problem = reason.message;
        file.late_since = kNever;
    }
    trace(LogLevel::kWarning, i, "closed: " + reason.message);
    if (told) {
        core_.file_closed(*told);
    }
    on_change_();
}

void VotingFiles::cannot_open(std::size_t i, const Error& reason) {
    {
        const std::lock_guard lock{mutex_};
        File& file = files_[i];
        file.tried = true;
        // Our own refusal comes back with our own words; its header goes on counting.
        if (!file.refused_here || file.problem != reason.message) {
            file.refused_here = false;
            file.header.verdict = SectorVerdict::kNotRead;
        }
        file.problem = reason.message;
    }
    trace(LogLevel::kWarning, i, "cannot be used: " + reason.message);
    on_change_();
}

void VotingFiles::slot(std::size_t i, voting::SlotOwnership ownership) {
    std::optional<core::FileOpened> usable;
    {
        const std::lock_guard lock{mutex_};
        File& file = files_[i];
        switch (ownership) {
            case voting::SlotOwnership::kOwned:
                CSS_CHECK(file.index.has_value());
                CSS_CHECK(!file.told_core);
                file.told_core = true;
                file.problem.clear();
                usable = core::FileOpened{*file.index,
                                          voting::tag_of(file.header.header.file),
                                          file.header.header.generation};
                break;
            case voting::SlotOwnership::kBusy:
                file.problem = file.path + ": node number " +
                               std::to_string(options_.self.value()) +
                               " is in use there by another daemon of this host, or its last "
                               "write has not ended yet";
                break;
        }
    }
    if (usable) {
        core_.file_opened(*usable);
    } else {
        trace(LogLevel::kWarning, i, "own slot is in use by another daemon of this host");
    }
    on_change_();
}

void VotingFiles::late(std::size_t i, const voting::LateIo& io) {
    const std::lock_guard lock{mutex_};
    Instant& since = files_[i].late_since;
    since = since == kNever ? io.begun : std::min(since, io.begun);
}

void VotingFiles::late_ended(std::size_t i) {
    {
        const std::lock_guard lock{mutex_};
        files_[i].late_since = kNever;
    }
    trace(LogLevel::kInfo, i, "a late I/O has ended");
}

void VotingFiles::cycle_finished(std::size_t i, const core::CycleFinished& finished) {
    if (log_.traces(LogLevel::kTrace)) {
        trace(LogLevel::kTrace, i, "cycle " + std::to_string(finished.id) + " ended");
    }
    core_.cycle_finished(finished);
}

std::optional<voting::Header> VotingFiles::found() {
    const std::lock_guard lock{mutex_};
    if (!found_) {
        std::size_t accepted = 0;
        bool all_tried = true;
        const voting::Header* newest = nullptr;
        for (const File& file : files_) {
            all_tried = all_tried && file.tried;
            if (file.index) {
                ++accepted;
                newest = &file.header.header;
            }
        }
        if (accepted > files_.size() / 2 &&
            (all_tried || boot_now() >= started_at_ + kLookPatience)) {
            found_ = *newest;
        }
    }
    return found_;
}

void VotingFiles::look_again() {
    {
        const std::lock_guard lock{mutex_};
        if (found_) {
            return;
        }
    }
    on_change_();
}

void VotingFiles::order(core::CycleOrder order) {
    voting::DiskThread* thread = by_index_[order.file].load();
    CSS_CHECK(thread != nullptr);
    thread->order(std::move(order));
}

std::vector<VotingFiles::Row> VotingFiles::rows() const {
    const std::lock_guard lock{mutex_};
    std::vector<Row> rows;
    for (const File& file : files_) {
        rows.push_back(Row{file.path,
                           file.index,
                           file.last_index,
                           file.uid,
                           file.told_core,
                           file.problem,
                           file.late_since});
    }
    return rows;
}

std::string VotingFiles::fault() const {
    const std::lock_guard lock{mutex_};
    std::size_t usable = 0;
    std::string first;
    for (const File& file : files_) {
        if (file.told_core) {
            ++usable;
        } else if (first.empty()) {
            first = file.problem;
        }
    }
    if (found_ && usable > files_.size() / 2) {
        return {};
    }
    return fault_.empty() ? first : fault_;
}

bool VotingFiles::stop() {
    if (std::exchange(stopped_, true)) {
        return all_ended_;
    }
    for (File& file : files_) {
        if (file.thread != nullptr &&
            file.thread->stop() == voting::DiskThread::StopOutcome::kAbandoned) {
            all_ended_ = false;
        }
    }
    return all_ended_;
}

void VotingFiles::trace(LogLevel level, std::size_t i, const std::string& text) {
    if (log_.traces(level)) {
        log_.trace(level, "clssnmvDiskPing", "DHB voting file " + options_.paths[i] + ": " + text);
    }
}

}  // namespace css::runtime
