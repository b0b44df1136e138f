#include "cssd/runtime/disk_monitor.h"

#include <utility>

#include "cssd/runtime/clock.h"

namespace css::runtime {

DiskMonitor::DiskMonitor(VotingFiles& files, Log& log, std::function<Names()> names)
    : files_(files), log_(log), names_(std::move(names)) {}

DiskMonitor::~DiskMonitor() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
}

Status DiskMonitor::start() {
    return thread_.start("dpmonitor", [this] { run(); });
}

void DiskMonitor::run() {
    std::unique_lock lock{mutex_};
    while (!stop_.wait_for(lock, kLookPeriod, [this] { return stopping_; })) {
        lock.unlock();
        look();
        lock.lock();
    }
}

void DiskMonitor::look() {
    const Instant now = boot_now();
    files_.look_again();
    if (!files_.found() && now >= told_undiscovered_ + kUndiscoveredPeriod) {
        told_undiscovered_ = now;
        log_.alert(alert_undiscovered(names_()));
        log_.trace(config::LogLevel::kWarning, "clssnmvDiskMonitor", "DHB " + files_.fault());
    }
    for (const VotingFiles::Row& row : files_.rows()) {
        if (row.late_since != kNever) {
            const auto age =
                std::chrono::duration_cast<std::chrono::milliseconds>(now - row.late_since);
            log_.trace(config::LogLevel::kWarning,
                       "clssnmvDiskMonitor",
                       "DHB voting file " + row.path + ": an I/O has not ended for " +
                           std::to_string(age.count()) + " ms");
        }
    }
}

}  // namespace css::runtime
