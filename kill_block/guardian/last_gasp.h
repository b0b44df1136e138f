#pragma once

#include <cstddef>

#include "kill_block/guardian/keeper.h"

namespace css::guardian {

inline constexpr std::size_t kLastGaspSize = 512;  ///< Of the file: one line, rest blanks.

/// The file with the last words of a guardian: why it fenced, by which limit, how long ago that
/// was. Allocated at start, so that writing it later needs no space.
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
    /// Call it after the act.
    void write(const char* guardian, const LastGasp& gasp) const;

private:
    int fd_ = -1;
};

}  // namespace css::guardian
