#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "cssd/base/shell_thread.h"
#include "cssd/base/time.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/render.h"
#include "cssd/runtime/voting_files.h"

namespace css::runtime {

/// The thread "dpmonitor" (SOURCES 1.3): watches the disk-ping threads from outside, for people.
/// Says every 15 s that no majority of the voting files is found (CRS-1714) and why, and every
/// second which I/O hangs, for how long. Offline and the warnings before it are judged by the
/// core.
class DiskMonitor {
public:
    DiskMonitor(VotingFiles& files, Log& log, std::function<Names()> names);
    ~DiskMonitor();
    DiskMonitor(const DiskMonitor&) = delete;
    DiskMonitor& operator=(const DiskMonitor&) = delete;
    DiskMonitor(DiskMonitor&&) = delete;
    DiskMonitor& operator=(DiskMonitor&&) = delete;

    [[nodiscard]] Status start();

private:
    static constexpr Duration kUndiscoveredPeriod = std::chrono::seconds{15};
    static constexpr std::chrono::seconds kLookPeriod{1};

    void run();
    void look();

    VotingFiles& files_;
    Log& log_;
    const std::function<Names()> names_;
    Instant told_undiscovered_ = kNever;
    std::mutex mutex_;
    std::condition_variable stop_;
    bool stopping_ = false;
    ShellThread thread_;
};

}  // namespace css::runtime
