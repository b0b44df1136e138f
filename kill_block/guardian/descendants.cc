#include "kill_block/guardian/descendants.h"

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kill_block/guardian/process.h"

namespace css::guardian {
namespace {

/// Kernel's directory entry: inode 8, offset 8, length 2, type 1, name.
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kNameAt = 19;

}  // namespace

int Descendants::open_proc() {
    return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void Descendants::close_proc(int directory) {
    if (directory >= 0) {
        close(directory);
    }
}

void Descendants::clear() {
    pids_.fill(0);
    count_ = 0;
    filled_ = 0;
    at_ = 0;
}

/// The next process of the listing; 0: no more.
pid_t Descendants::next(int directory) {
    for (;;) {
        if (at_ >= filled_) {
            const long got =
                directory < 0
                    ? 0
                    : syscall(SYS_getdents64, directory, entries_.data(), entries_.size());
            at_ = 0;
            filled_ = got > 0 ? static_cast<std::size_t>(got) : 0;
            if (filled_ == 0) {
                return 0;
            }
        }
        const char* entry = entries_.data() + at_;
        std::uint16_t length = 0;
        std::memcpy(&length, entry + kLengthAt, sizeof length);
        at_ += length;
        const long pid = std::strtol(entry + kNameAt, nullptr, 10);
        if (pid > 1) {
            return static_cast<pid_t>(pid);
        }
    }
}

bool Descendants::is_new(pid_t pid) const {
    return pid != excluded_[0] && pid != excluded_[1] && pid != getpid() && !contains(pid) &&
           contains(parent_of(pid));
}

/// A pidfd of it, if it is still below one of ours while we hold the descriptor.
int Descendants::confirm(pid_t pid) {
    const int pidfd = open_pidfd(pid);
    if (pidfd < 0) {
        return -1;
    }
    // Read again, then asked whether the one we hold lives: so what was read is about that one.
    if (!contains(parent_of(pid)) || send_signal(pidfd, 0) != 0 || !insert(pid)) {
        close(pidfd);
        return -1;
    }
    return pidfd;
}

pid_t Descendants::parent_of(pid_t pid) {
    std::array<char, 32> path{};
    static_cast<void>(std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid));
    const int fd = open(path.data(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    std::array<char, 256> text{};
    const ssize_t got = read(fd, text.data(), text.size() - 1);
    close(fd);
    // `pid (name) state parent ...`; the name may hold anything, also parentheses.
    const char* after = got > 0 ? std::strrchr(text.data(), ')') : nullptr;
    return after == nullptr || std::strlen(after) < 4
               ? 0
               : static_cast<pid_t>(std::strtol(after + 4, nullptr, 10));
}

bool Descendants::contains(pid_t pid) const {
    if (pid <= 0) {
        return false;
    }
    for (std::size_t i = static_cast<std::size_t>(pid) % kSlots; pids_[i] != 0;
         i = (i + 1) % kSlots) {
        if (pids_[i] == pid) {
            return true;
        }
    }
    return false;
}

/// False: it is there, or there is no more room.
bool Descendants::insert(pid_t pid) {
    if (pid <= 0 || contains(pid) || count_ >= kSlots / 2) {
        return false;
    }
    std::size_t i = static_cast<std::size_t>(pid) % kSlots;
    while (pids_[i] != 0) {
        i = (i + 1) % kSlots;
    }
    pids_[i] = pid;
    ++count_;
    return true;
}

}  // namespace css::guardian
