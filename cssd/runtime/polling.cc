#include "cssd/runtime/polling.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::runtime {

Result<std::unique_ptr<Polling>> Polling::start(std::function<void()> tick) {
    UniqueFd timer{timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
    UniqueFd stop{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!timer.is_open() || !stop.is_open()) {
        return Error{ErrorCode::kSystem, errno, std::string{"timer: "} + std::strerror(errno)};
    }
    std::unique_ptr<Polling> polling{
        new Polling{std::move(timer), std::move(stop), std::move(tick)}};
    if (const Status started = polling->thread_.start("polling", [p = polling.get()] { p->run(); });
        !started) {
        return started.error();
    }
    return polling;
}

Polling::Polling(UniqueFd timer, UniqueFd stop, std::function<void()> tick)
    : timer_(std::move(timer)), stop_(std::move(stop)), tick_(std::move(tick)) {}

Polling::~Polling() {
    CSS_CHECK(eventfd_write(stop_.get(), 1) == 0);
    thread_.join();
}

void Polling::wake_at(Instant at) {
    itimerspec spec{};
    if (at < kForever) {
        // Zero would disarm; a time in the past fires at once.
        const std::int64_t ns = std::max<std::int64_t>(1, at.time_since_epoch().count());
        spec.it_value.tv_sec = ns / 1'000'000'000;
        spec.it_value.tv_nsec = ns % 1'000'000'000;
    }
    CSS_CHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
}

void Polling::run() const {
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{timer_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
        static_cast<void>(::poll(fds.data(), fds.size(), -1));
        if (fds[1].revents != 0) {
            return;
        }
        // Set anew by another thread meanwhile, the timer has nothing to read: its time is to come.
        std::uint64_t expirations = 0;
        if (::read(timer_.get(), &expirations, sizeof expirations) == sizeof expirations) {
            tick_();
        }
    }
}

}  // namespace css::runtime
