#include "cssd/runtime/main_events.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/runtime/clock.h"

namespace css::runtime {

Result<std::unique_ptr<MainEvents>> MainEvents::create() {
    for (const int ignored : {SIGPIPE, SIGXFSZ, SIGHUP}) {
        std::signal(ignored, SIG_IGN);
    }
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    CSS_CHECK(pthread_sigmask(SIG_BLOCK, &taken, nullptr) == 0);
    UniqueFd signals{::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK)};
    UniqueFd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!signals.is_open() || !bell.is_open()) {
        return Error{ErrorCode::kSystem, errno, std::string{"signals: "} + std::strerror(errno)};
    }
    return std::unique_ptr<MainEvents>{new MainEvents{std::move(signals), std::move(bell)}};
}

void MainEvents::post(const std::function<void(News&)>& change) {
    {
        const std::lock_guard lock{mutex_};
        change(news_);
    }
    static_cast<void>(::eventfd_write(bell_.get(), 1));
}

MainEvents::News MainEvents::wait(Instant until) {
    std::array<pollfd, 2> fds{pollfd{signals_.get(), POLLIN, 0}, pollfd{bell_.get(), POLLIN, 0}};
    // Whoever gives a time looks at the clock again: an hour is as good as longer.
    constexpr Duration kLongest = std::chrono::hours{1};
    const Duration rest = std::clamp(until - boot_now(), Duration{}, kLongest);
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(rest).count();
    static_cast<void>(
        ::poll(fds.data(), fds.size(), until == kForever ? -1 : static_cast<int>(millis)));
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(bell_.get(), &count));
    const std::lock_guard lock{mutex_};
    News news = std::exchange(news_, News{});
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
        news.terminate = true;
    }
    return news;
}

}  // namespace css::runtime
