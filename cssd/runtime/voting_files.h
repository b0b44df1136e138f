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
#include "cssd/runtime/log.h"
#include "voting/format/header.h"
#include "voting/io/disk_thread.h"

namespace css::runtime {

/// The configured voting files: a disk-ping thread for each (named "diskping 1" and so on), the
/// comparison of their headers, and the way between them and the core.
///
/// A file is told to the core when its header belongs to the set *and* the own slot on it is
/// locked, which is the proof that the I/O of a former daemon of this host has ended there.
class VotingFiles {
public:
    struct Options {
        std::vector<std::string> paths;
        std::string cluster_name;
        NodeNumber self;
    };

    /// What is known of one configured file, for people.
    struct Row {
        std::string path;
        std::optional<FileIndex> index;       ///< Accepted now.
        std::optional<FileIndex> last_index;  ///< Accepted now or last.
        std::optional<FileUid> uid;           ///< Of the newest header read.
        bool usable = false;                  ///< Told to the core.
        std::string problem;                  ///< Why it cannot be used now; empty: it can.
        Instant late_since = kNever;          ///< An I/O begun then has not ended in time.
    };

    /// `on_change` is called on the files' threads when a file was accepted or given up.
    static Result<std::unique_ptr<VotingFiles>> start(Options options,
                                                      CoreHost& core,
                                                      Log& log,
                                                      std::function<void()> on_change);
    ~VotingFiles();  ///< Stops.
    VotingFiles(const VotingFiles&) = delete;
    VotingFiles& operator=(const VotingFiles&) = delete;
    VotingFiles(VotingFiles&&) = delete;
    VotingFiles& operator=(VotingFiles&&) = delete;

    /// The header of the set, once a majority of the configured files belongs to it and the others
    /// have been looked at too (or hang): a foreign file is then refused for certain, and a newer
    /// generation is not missed by chance. From then on
    /// it never changes: a file of another generation is refused, and files that a newer
    /// generation has disqualified are closed (PROTOCOL 7, Voting files).
    [[nodiscard]] std::optional<voting::Header> found();
    /// While nothing is found: calls on_change, because time has passed.
    void look_again();

    /// Under the core's lock; does not wait.
    void order(core::CycleOrder order);

    [[nodiscard]] std::vector<Row> rows() const;
    /// What keeps a majority from being found; empty: nothing does.
    [[nodiscard]] std::string fault() const;

    /// Bounded in time, also when files hang. False: some I/O is still in flight and a thread of
    /// it may be left behind.
    bool stop();

private:
    struct File {
        std::string path;
        std::unique_ptr<voting::DiskThread> thread;
        voting::HeaderAt header;
        std::optional<FileIndex> index;
        std::optional<FileIndex> last_index;
        std::optional<FileUid> uid;
        bool told_core = false;
        bool tried = false;         ///< Opened, or known why not, at least once.
        bool refused_here = false;  ///< By us, so its header counts until it is read again.
        std::string problem;
        Instant late_since = kNever;
    };

    VotingFiles(Options options, CoreHost& core, Log& log, std::function<void()> on_change);
    Status start_thread(std::size_t i);
    Result<FileIndex> opened(std::size_t i, const voting::Header& header);
    Result<FileIndex> place(std::size_t i);
    void set_fault(const std::string& fault);
    void give_up_others(std::size_t i, const voting::HeaderSet* set, const std::string& reason);
    void closed(std::size_t i, const Error& reason);
    void cannot_open(std::size_t i, const Error& reason);
    void slot(std::size_t i, voting::SlotOwnership ownership);
    void late(std::size_t i, const voting::LateIo& io);
    void late_ended(std::size_t i);
    void cycle_finished(std::size_t i, const core::CycleFinished& finished);
    void trace(config::LogLevel level, std::size_t i, const std::string& text);

    /// A file that has not been looked at by then hangs; the others are enough.
    static constexpr Duration kLookPatience = std::chrono::seconds{2};

    const Options options_;
    const Instant started_at_;
    CoreHost& core_;
    Log& log_;
    const std::function<void()> on_change_;

    /// Guards the files but for `thread`, and the two below. The core is never called under it: the
    /// core's lock is taken first where both are needed.
    mutable std::mutex mutex_;
    std::vector<File> files_;
    std::optional<voting::Header> found_;
    std::string fault_;

    /// By file index: whom to give an order. Never cleared, so that an order which crosses with a
    /// closing is answered as failed by the thread.
    PerFile<std::atomic<voting::DiskThread*>> by_index_;
    bool stopped_ = false;
    bool all_ended_ = true;
};

}  // namespace css::runtime
