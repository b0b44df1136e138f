#include "kill_block/guardian/registry.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "kill_block/guardian/process.h"

namespace css::guardian {
namespace {

bool is_process(ClientKind kind) {
    return kind == ClientKind::kProcess || kind == ClientKind::kDescendant;
}

CgroupVersion version_of(ClientKind kind) {
    return kind == ClientKind::kCgroupV1 ? CgroupVersion::kV1Freezer : CgroupVersion::kV2;
}

}  // namespace

Registry::Added Registry::add(std::uint64_t client, int descriptor, ClientKind kind) {
    CSS_CHECK(descriptor >= 0);
    CSS_CHECK(kind != ClientKind::kDescendant);
    if (size_ >= kClientsMax) {
        return Added::kFull;
    }
    for (std::size_t i = 0; i < size_; ++i) {
        if (entries_[i].client == client) {
            return Added::kTaken;
        }
    }
    Entry entry{.client = client, .descriptor = descriptor, .kind = kind};
    if (is_process(kind)) {
        // Signal 0 asks whether we could. A client that we may not kill must not believe it is
        // guarded.
        if (send_signal(descriptor, 0) != 0 && errno == EPERM) {
            return Added::kNotPermitted;
        }
        entry.pid = pid_of(descriptor);
        if (!watch(descriptor)) {
            return Added::kNotWatched;
        }
    }
    put(entry);
    return Added::kYes;
}

bool Registry::watch(int pidfd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = pidfd;
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, pidfd, &event) == 0;
}

void Registry::put(const Entry& entry) {
    CSS_CHECK(size_ < kEntriesMax);
    entries_[size_] = entry;
    ++size_;
    cgroups_ += is_process(entry.kind) ? 0U : 1U;
}

void Registry::remove_at(std::size_t index) {
    CSS_CHECK(index < size_);
    const Entry& entry = entries_[index];
    if (is_process(entry.kind)) {
        // The daemon and the other guardian may hold the same open file: closing ours would not end
        // its events here.
        epoll_ctl(epoll_, EPOLL_CTL_DEL, entry.descriptor, nullptr);
    } else {
        --cgroups_;
    }
    close(entry.descriptor);
    --size_;
    entries_[index] = entries_[size_];
    entries_[size_] = Entry{};
}

bool Registry::remove(std::uint64_t client) {
    for (std::size_t i = 0; i < size_; ++i) {
        if (entries_[i].client == client && entries_[i].kind != ClientKind::kDescendant) {
            remove_at(i);
            return true;
        }
    }
    return false;
}

void Registry::remove_pidfd(int pidfd) {
    for (std::size_t i = 0; i < size_; ++i) {
        if (entries_[i].descriptor == pidfd && is_process(entries_[i].kind)) {
            remove_at(i);
            return;
        }
    }
}

void Registry::clear() {
    while (size_ > 0) {
        remove_at(size_ - 1);
    }
    stopped_ = false;
}

/// Every process first: from here on a client acts no more, however long the rest takes.
void Registry::stop_all() {
    if (stopped_) {
        return;
    }
    stopped_ = true;
    for (std::size_t i = 0; i < size_; ++i) {
        if (is_process(entries_[i].kind)) {
            static_cast<void>(send_signal(entries_[i].descriptor, SIGSTOP));
        } else {
            freeze_cgroup(entries_[i].descriptor, version_of(entries_[i].kind));
        }
    }
    find_descendants();
}

void Registry::find_descendants() {
    constexpr int kLooksMax = 32;  // Each look goes at least one generation down.
    descendants_.clear();
    for (std::size_t i = 0; i < size_; ++i) {
        // The number of one that has ended may be another's by now.
        if (is_process(entries_[i].kind) && send_signal(entries_[i].descriptor, 0) == 0) {
            descendants_.add_root(entries_[i].pid);
        }
    }
    if (size_ == cgroups_) {
        return;
    }
    for (int look = 0; look < kLooksMax; ++look) {
        const bool any = descendants_.look([this](pid_t pid, int pidfd) {
            static_cast<void>(send_signal(pidfd, SIGSTOP));
            if (size_ < kEntriesMax && watch(pidfd)) {
                put(Entry{.descriptor = pidfd, .pid = pid, .kind = ClientKind::kDescendant});
            } else {
                static_cast<void>(send_signal(pidfd, SIGKILL));
                close(pidfd);
            }
        });
        if (!any) {
            return;
        }
    }
}

void Registry::kill_all() {
    stop_all();
    for (std::size_t i = 0; i < size_; ++i) {
        if (is_process(entries_[i].kind)) {
            static_cast<void>(send_signal(entries_[i].descriptor, SIGKILL));
        } else {
            kill_cgroup(entries_[i].descriptor, version_of(entries_[i].kind));
        }
    }
}

void Registry::look_at_cgroups() {
    for (std::size_t i = 0; cgroups_ > 0 && i < size_;) {
        const Entry& entry = entries_[i];
        if (!is_process(entry.kind) &&
            !is_cgroup_populated(entry.descriptor, version_of(entry.kind))) {
            remove_at(i);
        } else {
            ++i;
        }
    }
}

}  // namespace css::guardian
