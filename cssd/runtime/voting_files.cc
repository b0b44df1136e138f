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
    for (std::size_t i = 0; i < files->files_count_; ++i) {
        if (const Status started = files->start_thread(i); !started) {
            return started.error();
        }
    }
    // Only now: before, a callback could have looked for the thread of a file that had none yet.
    for (std::size_t i = 0; i < files->files_count_; ++i) {
        files->files_[i].thread->acquire_slot();
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
        static_cast<void>(add_path(path, true));
    }
}

VotingFiles::~VotingFiles() {
    static_cast<void>(stop());
}

/// Under the lock, or before there is a thread.
std::size_t VotingFiles::add_path(const std::string& path, bool configured) {
    std::size_t i = 0;
    while (i < files_count_ && !files_.at(i).seen.at.path.empty()) {
        ++i;
    }
    CSS_CHECK(i < kPathsMax);
    files_count_ = std::max(files_count_, i + 1);
    File& file = files_.at(i);
    file.seen.at.path = path;
    file.seen.configured = configured;
    file.problem = path + ": not opened yet";
    return i;
}

Status VotingFiles::start_thread(std::size_t i) {
    voting::DiskThreadOptions options;
    options.path = files_[i].seen.at.path;
    options.thread_name = "diskping " + std::to_string(i + 1);
    options.self = options_.self;
    options.cluster_name = options_.cluster_name;
    voting::DiskCallbacks& calls = options.callbacks;
    calls.on_opened = [this, i](const voting::HeaderRegion& region, const std::string&) {
        return opened(i, region);
    };
    calls.on_region = [this, i](const voting::HeaderRegion& region) { region_read(i, region); };
    calls.on_header_ordered = [this](const core::HeaderOrder& order) {
        return region_ordered(order);
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

void VotingFiles::closed(std::size_t i, const Error& reason) {
    std::optional<FileIndex> told;
    {
        const std::lock_guard lock{mutex_};
        File& file = files_[i];
        if (std::exchange(file.told_core, false)) {
            told = file.seen.place;
        }
        file.seen.place.reset();
        if (!file.refused_here) {
            file.seen.at.verdict = SectorVerdict::kNotRead;
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
            file.seen.at.verdict = SectorVerdict::kNotRead;
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
                CSS_CHECK(file.seen.place.has_value());
                CSS_CHECK(!file.told_core);
                file.told_core = true;
                file.problem.clear();
                usable = core::FileOpened{*file.seen.place,
                                          voting::tag_of(file.seen.at.header.file),
                                          file.seen.at.header.generation};
                break;
            case voting::SlotOwnership::kBusy:
                file.problem = file.seen.at.path + ": node number " +
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

/// Under the lock. Every path was opened or failed, or has had its time.
bool VotingFiles::has_looked() const {
    const auto end = files_.begin() + static_cast<std::ptrdiff_t>(files_count_);
    return boot_now() >= started_at_ + kLookPatience ||
           std::all_of(files_.begin(), end, [](const File& file) { return file.tried; });
}

std::optional<voting::Header> VotingFiles::found() {
    const std::lock_guard lock{mutex_};
    const Result<FilePlan> now = plan();
    if (!now) {
        return std::nullopt;
    }
    found_ = found_ || (voting::is_majority(now->newest.files, accepted()) && has_looked());
    return found_ ? std::optional{now->newest} : std::nullopt;
}

void VotingFiles::look_again() {
    bool waits = false;
    {
        const std::lock_guard lock{mutex_};
        waits = !found_;
        for (std::size_t i = 0; i < files_count_; ++i) {
            waits = waits || files_[i].retired_since != kNever;
        }
    }
    if (waits) {
        on_change_();
    }
}

void VotingFiles::order(core::CycleOrder order) {
    voting::DiskThread* thread = by_index_[order.file].load();
    CSS_CHECK(thread != nullptr);
    thread->order(std::move(order));
}

std::vector<VotingFiles::Row> VotingFiles::rows() const {
    const std::lock_guard lock{mutex_};
    std::vector<Row> rows;
    for (std::size_t i = 0; i < files_count_; ++i) {
        const File& file = files_[i];
        if (file.thread == nullptr) {
            continue;
        }
        rows.push_back(Row{file.seen.at.path,
                           file.seen.place,
                           file.last_index,
                           file.uid,
                           file.told_core,
                           file.problem,
                           file.late_since});
    }
    if (const Result<FilePlan> now = plan()) {
        for (const FilePlan::Missing& missing : now->missing) {
            rows.push_back(Row{.path = missing.path,
                               .index = {},
                               .last_index = missing.place,
                               .uid = missing.file,
                               .problem = "not found"});
        }
    }
    return rows;
}

std::vector<VotingFiles::Row> VotingFiles::rows(const Record& record) const {
    const FileSet named = record.files | record.files_next;
    std::vector<Row> found;
    for (Row& row : rows()) {
        if (!row.last_index || !row.uid || !named.contains(*row.last_index) ||
            record.file_tags[*row.last_index] != voting::tag_of(*row.uid)) {
            continue;
        }
        const auto same = std::ranges::find(found, row.last_index, &Row::last_index);
        if (same == found.end()) {
            found.push_back(std::move(row));
        } else if (row.index) {
            *same = std::move(row);
        }
    }
    return found;
}

std::string VotingFiles::fault() const {
    const std::lock_guard lock{mutex_};
    FileSet usable;
    std::string first;
    for (std::size_t i = 0; i < files_count_; ++i) {
        const File& file = files_[i];
        if (file.told_core) {
            usable.insert(*file.seen.place);
        } else if (first.empty()) {
            first = file.problem;
        }
    }
    const Result<FilePlan> now = plan();
    if (now && found_ && now->in_force.reached_by(usable)) {
        return {};
    }
    for (const FilePlan::Missing& missing : now ? now->missing : std::vector<FilePlan::Missing>{}) {
        if (fault_.empty() && missing.path.empty()) {
            return "the voting file with FUID " + voting::to_hex(missing.file.bytes) +
                   " is in the set, but nothing says where it is: give its path as voting_file";
        }
    }
    return fault_.empty() ? first : fault_;
}

bool VotingFiles::stop() {
    if (std::exchange(stopped_, true)) {
        return all_ended_;
    }
    for (File& file : files_) {  // Those never used have no thread.
        if (file.thread != nullptr &&
            file.thread->stop() == voting::DiskThread::StopOutcome::kAbandoned) {
            all_ended_ = false;
        }
    }
    return all_ended_;
}

void VotingFiles::trace(LogLevel level, std::size_t i, const std::string& text) {
    if (log_.traces(level)) {
        log_.trace(
            level, "clssnmvDiskPing", "DHB voting file " + files_[i].seen.at.path + ": " + text);
    }
}

}  // namespace css::runtime
