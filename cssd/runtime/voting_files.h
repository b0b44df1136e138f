#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "cssd/core/io.h"
#include "cssd/runtime/core_host.h"
#include "cssd/runtime/file_plan.h"
#include "cssd/runtime/log.h"
#include "voting/format/header.h"
#include "voting/io/disk_thread.h"

namespace css::runtime {

/// The voting files: a disk-ping thread for each (named "diskping 1" and so on), which of them are
/// the cluster's (file_plan.h), and the way between them and the core. They begin with those of the
/// configuration; others are learned from hints on these, and let go when they have left the set.
///
/// A file is told to the core when it has a place *and* the own slot on it is locked, which is the
/// proof that the I/O of a former daemon of this host has ended there.
class VotingFiles {
public:
    struct Options {
        std::vector<std::string> paths;
        std::string cluster_name;
        NodeNumber self;
    };

    /// What is known of one path, for people.
    struct Row {
        std::string path;
        std::optional<FileIndex> index;       ///< Accepted now.
        std::optional<FileIndex> last_index;  ///< Accepted now or last.
        std::optional<FileUid> uid;           ///< Of the newest header read.
        bool usable = false;                  ///< Told to the core.
        std::string problem;                  ///< Why it cannot be used now; empty: it can.
        Instant late_since = kNever;          ///< An I/O begun then has not ended in time.
    };

    /// `on_change` is called on any thread when settle() should be.
    static Result<std::unique_ptr<VotingFiles>> start(Options options,
                                                      CoreHost& core,
                                                      Log& log,
                                                      std::function<void()> on_change);
    ~VotingFiles();  ///< Stops.
    VotingFiles(const VotingFiles&) = delete;
    VotingFiles& operator=(const VotingFiles&) = delete;
    VotingFiles(VotingFiles&&) = delete;
    VotingFiles& operator=(VotingFiles&&) = delete;

    /// The newest header, once a majority of the files that it names is there and all paths have
    /// been looked at (or hang): a foreign file is then refused for certain, and a newer generation
    /// is not missed by chance.
    [[nodiscard]] std::optional<voting::Header> found();
    /// While nothing is found, or a file is to be let go: calls on_change, because time has passed.
    void look_again();
    /// The newest record has other voting files: calls on_change. Under the core's lock.
    void sets_changed() { on_change_(); }

    /// The main thread, which makes and ends the threads of files: opens those that are wanted and
    /// closes those that are not. `record`: the newest that the core knows; null: there is no core.
    void settle(const Record* record);

    /// Files formatted for the cluster, by place: opened here, and written down as hints on all
    /// files, so that the other members find them. Any thread.
    void offer(const voting::PathHints& files);
    /// A place that no file has nor is offered for, or, when all are, one that is only offered; not
    /// one of those `named`. A file that was offered before keeps its place.
    [[nodiscard]] std::optional<FileIndex> place_for(const FileUid& file, FileSet named) const;

    /// Under the core's lock; does not wait.
    void order(core::CycleOrder order);

    [[nodiscard]] std::vector<Row> rows() const;
    /// One for each of the record's files: of several ways to it the one in use.
    [[nodiscard]] std::vector<Row> rows(const Record& record) const;
    /// What keeps a majority from being found; empty: nothing does.
    [[nodiscard]] std::string fault() const;

    /// Bounded in time, also when files hang. False: some I/O is still in flight and a thread of
    /// it may be left behind.
    bool stop();

private:
    struct File {
        std::unique_ptr<voting::DiskThread> thread;
        FileSeen seen;
        std::optional<FileIndex> last_index;
        std::optional<FileUid> uid;
        bool told_core = false;
        bool tried = false;         ///< Opened, or known why not, at least once.
        bool refused_here = false;  ///< By us, so its header counts until it is read again.
        bool told_unconfigured = false;
        std::string problem;
        Instant late_since = kNever;
        Instant retired_since = kNever;
    };

    VotingFiles(Options options, CoreHost& core, Log& log, std::function<void()> on_change);
    std::size_t add_path(const std::string& path, bool configured);
    Status start_thread(std::size_t i);
    Result<FileIndex> opened(std::size_t i, const voting::HeaderRegion& region);
    void region_read(std::size_t i, const voting::HeaderRegion& region);
    std::optional<voting::HeaderRegion> region_ordered(const core::HeaderOrder& order);
    [[nodiscard]] std::vector<FileSeen> seen() const;
    [[nodiscard]] Result<FilePlan> plan() const;
    Result<FileIndex> place(std::size_t i);
    void set_fault(const std::string& fault);
    void give_up_others(std::size_t i, const std::string& reason);
    void close_lost(const FilePlan& plan);
    void restore_hints();
    void tell_unconfigured(File& file);
    void open_missing(const FilePlan& plan);
    void drop_learned(const FilePlan& plan);
    void closed(std::size_t i, const Error& reason);
    void cannot_open(std::size_t i, const Error& reason);
    void slot(std::size_t i, voting::SlotOwnership ownership);
    void late(std::size_t i, const voting::LateIo& io);
    void late_ended(std::size_t i);
    void cycle_finished(std::size_t i, const core::CycleFinished& finished);
    void trace(config::LogLevel level, std::size_t i, const std::string& text);
    [[nodiscard]] FileSet accepted() const;
    [[nodiscard]] bool has_looked() const;

    /// A file that has not been looked at by then hangs; the others are enough.
    static constexpr Duration kLookPatience = std::chrono::seconds{2};
    /// So long a file that has left the set stays open, for its header to be renewed.
    static constexpr Duration kLetGoPatience = std::chrono::seconds{10};
    /// Paths that can be known at a time: of two sets, and some that hold nothing.
    static constexpr std::size_t kPathsMax = 3 * kFilesMax;

    const Options options_;
    const Instant started_at_;
    CoreHost& core_;
    Log& log_;
    const std::function<void()> on_change_;

    /// Guards all below but by_index_ and, in the files, `thread`, which the main thread alone
    /// sets. The core is never called under it: the core's lock is taken first where both are
    /// needed.
    mutable std::mutex mutex_;
    std::array<File, kPathsMax> files_;
    std::size_t files_count_ = 0;
    std::optional<Record> record_;  ///< As settle() got it last.
    voting::PathHints offers_;      ///< By this node.
    bool found_ = false;
    std::string fault_;

    /// By file index: whom to give an order. Never cleared, so that an order which crosses with a
    /// closing is answered as failed by the thread.
    PerFile<std::atomic<voting::DiskThread*>> by_index_;
    bool stopped_ = false;
    bool all_ended_ = true;
};

}  // namespace css::runtime
