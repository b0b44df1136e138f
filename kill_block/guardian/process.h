#pragma once

#include <csignal>
#include <ctime>

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "cssd/base/time.h"

/// Thin names for system calls that libc 2.36 lacks or spells differently, and the clock.
namespace css::guardian {

inline int open_pidfd(pid_t pid) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

/// 0, or -1 with errno.
inline int send_signal(int pidfd, int signal) {
    return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

/// The number of the process behind a pidfd, as this process sees it; 0: none, or it has ended.
pid_t pid_of(int pidfd);

/// CLOCK_BOOTTIME, as everywhere in this project. A clock that fails is the end of every lease.
inline Instant boottime() {
    timespec t{};
    if (clock_gettime(CLOCK_BOOTTIME, &t) != 0) {
        return kForever;
    }
    return Instant{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

}  // namespace css::guardian
