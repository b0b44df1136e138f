#include "voting/io/mailbox.h"

#include <cerrno>
#include <utility>

#include <sys/eventfd.h>

#include "voting/io/system_error.h"

namespace css::voting {

Result<Fd> Mailbox::make_event() {
    Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!event.is_open()) {
        return system_error("cannot make an eventfd", errno);
    }
    return event;
}

void Mailbox::post_order(core::CycleOrder order) {
    {
        const std::lock_guard lock{mutex_};
        CSS_CHECK(!outstanding_);
        outstanding_ = true;
        order_ = std::move(order);
    }
    ring_bell();
}

void Mailbox::post_slot_wanted() {
    {
        const std::lock_guard lock{mutex_};
        slot_wanted_ = true;
    }
    ring_bell();
}

void Mailbox::post_hints(PathHints hints) {
    {
        const std::lock_guard lock{mutex_};
        hints_ = merged(hints_.value_or(PathHints{}), hints);
    }
    ring_bell();
}

void Mailbox::post_reopen(Error reason) {
    {
        const std::lock_guard lock{mutex_};
        reopen_ = std::move(reason);
    }
    ring_bell();
}

void Mailbox::post_stop(Instant give_up_at) {
    {
        const std::lock_guard lock{mutex_};
        stop_at_ = give_up_at;
    }
    ring_bell();
}

void Mailbox::ring_bell() {
    // EAGAIN: the counter is full, so the bell has been rung more than often enough.
    CSS_CHECK(::eventfd_write(event_.get(), 1) == 0 || errno == EAGAIN);
}

void Mailbox::clear_event() {
    eventfd_t count = 0;
    CSS_CHECK(::eventfd_read(event_.get(), &count) == 0 || errno == EAGAIN);
}

std::optional<core::CycleOrder> Mailbox::take_order() {
    const std::lock_guard lock{mutex_};
    return std::exchange(order_, std::nullopt);
}

void Mailbox::order_is_answered() {
    const std::lock_guard lock{mutex_};
    CSS_CHECK(outstanding_);
    outstanding_ = false;
}

std::optional<PathHints> Mailbox::take_hints() {
    const std::lock_guard lock{mutex_};
    return std::exchange(hints_, std::nullopt);
}

std::optional<Error> Mailbox::take_reopen() {
    const std::lock_guard lock{mutex_};
    return std::exchange(reopen_, std::nullopt);
}

bool Mailbox::slot_wanted() {
    const std::lock_guard lock{mutex_};
    return slot_wanted_;
}

std::optional<Instant> Mailbox::stop_at() {
    const std::lock_guard lock{mutex_};
    return stop_at_;
}

}  // namespace css::voting
