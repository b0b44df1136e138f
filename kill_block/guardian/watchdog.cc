#include "kill_block/guardian/watchdog.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace css::guardian {

Watchdog::~Watchdog() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

void Watchdog::arm(const char* path, std::chrono::seconds timeout) {
    timeout_ = timeout;
    if (timeout.count() <= 0) {
        return refuse(WatchdogState::kTooShort, 0);
    }
    if (fd_ < 0) {
        fd_ = open(path, O_WRONLY | O_CLOEXEC);  // Many devices run from here on.
    }
    if (fd_ < 0) {
        return refuse(WatchdogState::kNotOpened, static_cast<unsigned>(errno));
    }
    int seconds = static_cast<int>(timeout.count());
    int read_back = 0;
    if (ioctl(fd_, WDIOC_SETTIMEOUT, &seconds) != 0 ||
        ioctl(fd_, WDIOC_GETTIMEOUT, &read_back) != 0) {
        return refuse(WatchdogState::kNotSet, static_cast<unsigned>(errno));
    }
    if (read_back <= 0 || read_back > timeout.count()) {
        // What the driver promises is what counts, not what it was asked for.
        return refuse(WatchdogState::kOther, static_cast<unsigned>(read_back));
    }
    state_ = WatchdogState::kArmed;
    detail_ = static_cast<unsigned>(read_back);
}

void Watchdog::feed() {
    if (fd_ >= 0 && ioctl(fd_, WDIOC_KEEPALIVE, nullptr) != 0 && write(fd_, "", 1) != 1) {
        state_ = WatchdogState::kNotFed;  // It will fire; nothing else may be done about it.
        detail_ = static_cast<unsigned>(errno);
    }
}

void Watchdog::let_go() {
    if (fd_ >= 0) {
        static_cast<void>(!write(fd_, "V", 1));
        close(fd_);
        fd_ = -1;
    }
}

void Watchdog::disarm() {
    let_go();
    timeout_ = std::chrono::seconds{-1};
    state_ = WatchdogState::kNone;
    detail_ = 0;
}

void Watchdog::refuse(WatchdogState state, unsigned detail) {
    let_go();
    state_ = state;
    detail_ = detail;
}

}  // namespace css::guardian
