#include "cssd/runtime/control_mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace css::runtime {
namespace {

constexpr std::size_t kEventsMax = 4096;

}  // namespace

ControlMailbox::ControlMailbox() : wake_fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

ControlMailbox::~ControlMailbox() {
    if (wake_fd_ >= 0) {
        ::close(wake_fd_);
    }
}

void ControlMailbox::put(Completed completed) {
    const std::lock_guard lock{mutex_};
    add(completed);
}

void ControlMailbox::put(Stop stop) {
    const std::lock_guard lock{mutex_};
    add(stop);
}

void ControlMailbox::put(const Event& event) {
    const std::lock_guard lock{mutex_};
    if (events_count_ < kEventsMax) {
        ++events_count_;
        add(event);
    } else if (events_count_ == kEventsMax) {
        ++events_count_;
        add(EventsMissed{});
    }
}

void ControlMailbox::add(Item item) {
    items_.push_back(std::move(item));
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the fd is readable anyway.
    static_cast<void>(::write(wake_fd_, &one, sizeof(one)) == sizeof(one));
}

std::vector<ControlMailbox::Item> ControlMailbox::take() {
    std::uint64_t count = 0;
    static_cast<void>(::read(wake_fd_, &count, sizeof(count)) == sizeof(count));
    std::vector<Item> taken;
    const std::lock_guard lock{mutex_};
    taken.swap(items_);
    events_count_ = 0;
    return taken;
}

}  // namespace css::runtime
