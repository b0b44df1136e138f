#include "kill_block/guardian/registry.h"

#include <cerrno>
#include <csignal>

#include <sys/epoll.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "kill_block/guardian/process.h"

namespace css::guardian {

Registry::Added Registry::add(std::uint64_t client, int pidfd) {
    CSS_CHECK(pidfd >= 0);
    if (size_ == kClientsMax) {
        return Added::kFull;
    }
    for (std::size_t i = 0; i < size_; ++i) {
        if (entries_[i].client == client) {
            return Added::kTaken;
        }
    }
    // Signal 0 asks whether we could. A client that we may not kill must not believe it is guarded.
    if (send_signal(pidfd, 0) != 0 && errno == EPERM) {
        return Added::kNotPermitted;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = pidfd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, pidfd, &event) != 0) {
        return Added::kNotWatched;
    }
    entries_[size_] = Entry{client, pidfd};
    ++size_;
    return Added::kYes;
}

void Registry::remove_at(std::size_t index) {
    CSS_CHECK(index < size_);
    // The daemon and the other guardian may hold the same open file: closing ours would not end its
    // events here.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, entries_[index].pidfd, nullptr);
    close(entries_[index].pidfd);
    --size_;
    entries_[index] = entries_[size_];
    entries_[size_] = Entry{};
}

bool Registry::remove(std::uint64_t client) {
    for (std::size_t i = 0; i < size_; ++i) {
        if (entries_[i].client == client) {
            remove_at(i);
            return true;
        }
    }
    return false;
}

void Registry::remove_pidfd(int pidfd) {
    for (std::size_t i = 0; i < size_; ++i) {
        if (entries_[i].pidfd == pidfd) {
            remove_at(i);
            return;
        }
    }
}

void Registry::clear() {
    while (size_ > 0) {
        remove_at(size_ - 1);
    }
}

void Registry::kill_all() {
    for (std::size_t i = 0; i < size_; ++i) {
        static_cast<void>(send_signal(entries_[i].pidfd, SIGKILL));
    }
}

}  // namespace css::guardian
