#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cssd/base/result.h"
#include "cssd/config/log_level.h"

namespace css::runtime {

struct LogOptions {
    std::string directory{};  ///< Of `alert.log` and `cssd.trc`; made if missing.
    config::LogLevel level = config::LogLevel::kInfo;
    std::uint64_t trace_size_max = 10U << 20;  ///< Bytes after which cssd.trc is rotated.
    unsigned trace_files_max = 5;              ///< Rotated files kept: cssd.trc.1 is the newest.
    std::size_t queue_lines = 512;             ///< Lines that may wait for the disk.
    std::function<void()> on_thread_start{};   ///< First thing in the log's thread.
};

/// The two logs of the daemon. A line goes through a bounded queue to a thread of its own (named
/// `log`, small stack, never real-time), so a caller never waits for a disk: when the queue is full
/// the oldest line is dropped and counted. A write that fails is counted too; the file is opened
/// again by itself once it can be. Any thread may call any function.
class Log {
public:
    /// Fails when the directory cannot be made or a file cannot be opened: only at start is that
    /// worth stopping for.
    static Result<std::unique_ptr<Log>> open(const LogOptions& options);
    /// Writes what is still queued, waiting for it a second at most.
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    Log(Log&&) = delete;
    Log& operator=(Log&&) = delete;

    /// `2026-11-21 09:45:24.016 [CSSD(2871)]TEXT`, text from the CRS code on. Never filtered by
    /// level. Also a trace line, so that the trace tells the whole story.
    void alert(std::string_view text);
    /// `2026-11-21 09:45:24.016 :    CSSD:THREAD: [     INFO] function: text`. The thread is the
    /// caller's, by its name.
    void trace(config::LogLevel level, std::string_view function, std::string_view text);
    /// True when a trace line of this level would be written; ask before formatting in hot paths.
    [[nodiscard]] bool traces(config::LogLevel level) const;

    void set_level(config::LogLevel level);
    [[nodiscard]] config::LogLevel level() const;

    [[nodiscard]] const std::string& trace_file() const;
    /// Lines dropped because the queue was full.
    [[nodiscard]] std::uint64_t dropped() const;
    /// Lines that could not be written.
    [[nodiscard]] std::uint64_t failed() const;

private:
    class Impl;
    explicit Log(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::runtime
