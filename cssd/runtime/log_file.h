#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cssd/base/result.h"

namespace css::runtime {

/// A text file that is appended to for ever, by one thread. Survives what happens to log
/// directories: removed or moved away (made and opened again within a second), full (lines are
/// lost, the next line starts on a new line), moved by others' rotation (opened again).
class LogFile {
public:
    struct Limits {
        std::uint64_t size_max = 0;  ///< Bytes after which it is rotated; 0: never.
        unsigned files_max = 0;      ///< Rotated files kept, PATH.1 the newest; 0: it is emptied.
    };
    LogFile(std::string path, Limits limits);
    ~LogFile();
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;
    LogFile(LogFile&&) = delete;
    LogFile& operator=(LogFile&&) = delete;

    /// Makes the directory if it is missing. append() does this by itself.
    Status open();
    /// Writes a whole line, its end included. False: it is lost.
    bool append(std::string_view line);

private:
    void reopen_if_moved();
    void rotate();
    void close();

    std::string path_;
    Limits limits_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    bool torn_ = false;  ///< The last write stopped within a line.
    std::chrono::steady_clock::time_point looked_{};
};

}  // namespace css::runtime
