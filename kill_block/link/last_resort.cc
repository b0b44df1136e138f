#include "kill_block/link/last_resort.h"

#include <array>

#include <sys/epoll.h>

namespace css::guardian {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds{5};

ClientKind kind_of(ClientForm form) {
    switch (form) {
        case ClientForm::kProcess: return ClientKind::kProcess;
        case ClientForm::kCgroup: return ClientKind::kCgroupV2;
        case ClientForm::kFreezer: return ClientKind::kCgroupV1;
    }
    return ClientKind::kProcess;
}

}  // namespace

bool LastResort::open(const std::string& reset_file) {
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    registry_.watch_with(epoll_.get());
    reset_.open(reset_file.c_str());
    return epoll_.is_open();
}

void LastResort::add(std::uint64_t client, UniqueFd descriptor, ClientForm form) {
    if (registry_.add(client, descriptor.get(), kind_of(form)) == Registry::Added::kYes) {
        static_cast<void>(descriptor.release());
    }
}

void LastResort::take_ended() {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
        registry_.remove_pidfd(events.at(static_cast<std::size_t>(i)).data.fd);
    }
}

void LastResort::begin(Instant limit) {
    if (begun_) {
        return;
    }
    begun_ = true;
    limit_ = limit;
    // A command or a hook needs a guardian: without one the host is reset instead.
    failed_ = action_ == Action::kCommand || (drain_hook_ && action_ != Action::kExit);
    if (failed_ || action_ == Action::kReboot) {
        reset_.act();
    }
    registry_.kill_all();
}

Instant LastResort::look(Instant now) {
    if (!begun_ || registry_.size() == 0) {
        return kForever;
    }
    registry_.kill_all();
    registry_.look_at_cgroups();
    if (now >= limit_ && action_ != Action::kExit && !failed_) {
        failed_ = true;
        reset_.act();
    }
    return now + kLookAgain;
}

}  // namespace css::guardian
