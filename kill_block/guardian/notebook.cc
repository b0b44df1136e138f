#include "kill_block/guardian/notebook.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

namespace css::guardian {
namespace {

constexpr std::size_t kLineMax = 2048;
using Line = std::array<char, kLineMax>;

/// `2026-11-21 09:45:24.016`, local time.
void put_time(std::array<char, 32>& text) {
    timespec now{};
    static_cast<void>(clock_gettime(CLOCK_REALTIME, &now));
    tm local{};
    localtime_r(&now.tv_sec, &local);
    const std::size_t length = std::strftime(text.data(), text.size(), "%F %T", &local);
    static_cast<void>(std::snprintf(
        text.data() + length, text.size() - length, ".%03ld", now.tv_nsec / 1'000'000));
}

void append(const char* path, Line& line, int length) {
    if (path[0] == '\0' || length <= 0) {
        return;
    }
    const auto size = std::min(static_cast<std::size_t>(length), line.size() - 1);
    line[size - 1] = '\n';  // Also where it was cut off.
    const int fd = ::open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        static_cast<void>(!::write(fd, line.data(), size));
        close(fd);
    }
}

void append_alert(const FixedOrders& orders, const char* name, const char* text) {
    std::array<char, 32> time{};
    put_time(time);
    Line line{};
    const int length = std::snprintf(
        line.data(), line.size(), "%s [%s(%d)]%s\n", time.data(), name, getppid(), text);
    append(orders.alert_log.data(), line, length);
}

}  // namespace

void Notebook::append_trace(const FixedOrders& orders, const char* name, const char* text) {
    std::array<char, 32> time{};
    put_time(time);
    Line line{};
    const int length = std::snprintf(line.data(),
                                     line.size(),
                                     "%s :    CSSD:%s: [  WARNING] clsnGuard: %s\n",
                                     time.data(),
                                     name,
                                     text);
    append(orders.trace_file.data(), line, length);
}

void Notebook::write(const char* alert, const char* trace) {
    pid_t* const free = std::find(children_.begin(), children_.end(), 0);
    if (orders_ == nullptr || free == children_.end()) {
        return;
    }
    const pid_t child = fork();
    if (child == 0) {
        static_cast<void>(close_range(3, ~0U, 0));  // The guardian's sockets end with itself.
        if (alert != nullptr) {
            append_alert(*orders_, name_, alert);
        }
        append_trace(*orders_, name_, trace);
        _exit(0);
    }
    *free = std::max(child, 0);
}

void Notebook::note_ended(pid_t child) {
    std::replace(children_.begin(), children_.end(), child, 0);
}

}  // namespace css::guardian
