#pragma once

#include <cstddef>

#include <sys/types.h>

#include "kill_block/guardian/keeper.h"

namespace css::guardian {

inline constexpr std::size_t kLastGaspSize = 512;  ///< Of the file: one line, rest blanks.

/// The file with the last words of a guardian: why it fenced, by which limits, how long ago that
/// was. Allocated at start, so that writing it later needs no space, and written in place through
/// to the disk, so that it survives a reset that follows at once.
class LastGaspFile {
public:
    LastGaspFile() = default;
    ~LastGaspFile();
    LastGaspFile(const LastGaspFile&) = delete;
    LastGaspFile& operator=(const LastGaspFile&) = delete;
    LastGaspFile(LastGaspFile&&) = delete;
    LastGaspFile& operator=(LastGaspFile&&) = delete;

    /// Opens or makes `path`; an old line stays. False: no such file; write() does nothing then.
    bool open(const char* path);
    /// In a child process of its own, so that a disk that hangs holds up the child and nobody else.
    void write(const char* guardian, const LastGasp& gasp);
    /// A child of this process has ended.
    void note_ended(pid_t child) { child_ = child == child_ ? 0 : child_; }
    /// Nothing is being written.
    [[nodiscard]] bool is_idle() const { return child_ == 0; }

private:
    int fd_ = -1;
    pid_t child_ = 0;
};

}  // namespace css::guardian
