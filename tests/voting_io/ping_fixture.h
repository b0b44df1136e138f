#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "voting/format/format.h"
#include "voting/io/disk_thread.h"

/// What the tests of the disk ping share: a formatted file and a thread on it whose callbacks are
/// written down and can be waited for.
namespace css::test {

/// Long enough for a machine at a tenth of the speed; nothing waits this long when all is well.
inline constexpr std::chrono::seconds kPatience{60};

inline constexpr const char* kClusterName = "ping-test";

/// A header with a GUID and FUID that `seed` picks.
[[nodiscard]] voting::Header make_header(unsigned char seed = 1,
                                         unsigned sector_size = 512,
                                         unsigned slots_max = kNodesMax);

/// A heartbeat and ballot that say `sequence`.
[[nodiscard]] core::CycleOrder::Own make_own(std::uint64_t sequence);

/// The folder in /proc/self/task of the thread with this name.
[[nodiscard]] std::optional<std::filesystem::path> task_named(const std::string& name);

/// What a callback brought, copied.
struct Cycle {
    std::uint64_t id = 0;
    core::CycleOutcome outcome = core::CycleOutcome::kDone;
    bool own_as_written = false;
    std::vector<SlotView> slots;
};

class Ping {
public:
    struct Options {
        std::string path;
        unsigned node = 1;
        unsigned slots_max = 4;
        std::string cluster_name = kClusterName;
        std::chrono::milliseconds retry_interval{20};
        std::chrono::milliseconds late_after{1000};
        /// Runs in on_opened; an error refuses the file.
        std::function<Status(const voting::Header&)> accept = {};
    };
    explicit Ping(Options options);

    [[nodiscard]] voting::DiskThread& thread() { return *thread_; }

    /// Each waits until it happened for the nth time; false (and a test failure) when it does not.
    bool wait_opened(std::size_t times = 1);
    bool wait_closed(std::size_t times = 1);
    bool wait_cannot_open(std::size_t times = 1);
    bool wait_slot(voting::SlotOwnership wanted);
    bool wait_late(std::size_t times = 1);

    /// Asks for the slot and waits until it is owned.
    bool own_slot();
    /// Gives an order; a Cycle with its id comes later.
    void order(std::uint64_t id,
               std::optional<core::CycleOrder::Own> own,
               std::vector<core::CycleOrder::Kill> kills = {});
    std::optional<Cycle> wait_cycle(std::uint64_t id);
    /// order() and wait_cycle().
    std::optional<Cycle> cycle(std::uint64_t id,
                               std::optional<core::CycleOrder::Own> own,
                               std::vector<core::CycleOrder::Kill> kills = {});

    /// What has happened so far. Of lists that can still grow: copies.
    [[nodiscard]] std::vector<voting::Header> opened();
    [[nodiscard]] std::vector<Error> closed();
    [[nodiscard]] std::vector<Error> cannot_open();
    [[nodiscard]] std::vector<Error> failures();
    [[nodiscard]] std::vector<voting::LateIo> late();
    [[nodiscard]] std::vector<voting::LateIo> late_ended();
    [[nodiscard]] std::size_t cycles();

private:
    struct Seen {
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<voting::Header> opened;
        std::vector<Error> closed;
        std::vector<Error> cannot_open;
        std::vector<Error> failures;
        std::vector<voting::SlotOwnership> slot;
        std::vector<voting::LateIo> late;
        std::vector<voting::LateIo> late_ended;
        std::vector<Cycle> cycles;
    };
    template <class Predicate>
    bool wait(const char* what, Predicate happened);
    template <class Entry>
    void note(std::vector<Entry> Seen::*list, Entry entry);
    template <class Entry>
    std::vector<Entry> copy(std::vector<Entry> Seen::*list);

    unsigned slots_max_;
    Seen seen_;
    std::unique_ptr<voting::DiskThread> thread_;  ///< Last: ends before what it writes into.
};

}  // namespace css::test
