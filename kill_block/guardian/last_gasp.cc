#include "kill_block/guardian/last_gasp.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace css::guardian {
namespace {

using Line = std::array<char, kLastGaspSize>;

const char* text_of(FenceReason reason, bool armed) {
    switch (reason) {
        case FenceReason::kNone: return "nothing";
        case FenceReason::kEndPassed:
            return armed ? "lease end passed" : "lease end passed before the node was active";
        case FenceReason::kDaemonDied: return "cssd died while the node was active";
        case FenceReason::kOrdered: return "cssd asked for it";
        case FenceReason::kDrainFailed: return "the drain command failed at a clean leave";
        case FenceReason::kFormer: return "clients of a former cssd were left";
    }
    return "unknown";
}

const char* name_of(Action action) {
    switch (action) {
        case Action::kExit: return "exit";
        case Action::kKillClients: return "kill-clients";
        case Action::kReboot: return "reboot";
        case Action::kCommand: return "command";
    }
    return "unknown";
}

const char* effect_of(const LastGasp& gasp) {
    if (gasp.reset) {
        return "resetting this host";
    }
    return gasp.reason == FenceReason::kEndPassed && !gasp.armed ? "daemon killed"
                                                                 : "clients killed";
}

/// By how much the daemon had been silent; 0 when it was never heard.
Duration silence_of(const LastGasp& gasp) {
    return gasp.heard == kForever ? Duration{} : gasp.begun - gasp.heard;
}

double milliseconds(Duration d) {
    return std::chrono::duration<double, std::milli>{d}.count();
}

/// Wall clock for people; boot time, so that a reader can tell how long ago; then why, and by how
/// much the act was later than the end.
Line line_of(const char* guardian, const LastGasp& gasp) {
    timespec wall{};
    static_cast<void>(clock_gettime(CLOCK_REALTIME, &wall));
    Line line;
    line.fill(' ');
    const int length = std::snprintf(
        line.data(),
        line.size(),
        "wall=%lld.%03ld boottime_ns=%lld guardian=%s node=%u unique=%u text=\"%s: %s\" "
        "lease_end_ns=%lld begun_after_end_ms=%.3f took_ms=%.3f silent_ms=%.3f reboottime_ms=%.0f "
        "stop_reason=%u by=%u action=%s",
        static_cast<long long>(wall.tv_sec),
        wall.tv_nsec / 1'000'000,
        static_cast<long long>(gasp.finished.time_since_epoch().count()),
        guardian,
        gasp.instance.node.value(),
        gasp.instance.unique.value(),
        text_of(gasp.reason, gasp.armed),
        effect_of(gasp),
        static_cast<long long>(gasp.end.time_since_epoch().count()),
        gasp.end == kForever ? 0.0 : milliseconds(gasp.begun - gasp.end),
        milliseconds(gasp.finished - gasp.begun),
        milliseconds(silence_of(gasp)),
        milliseconds(gasp.reboottime),
        unsigned{gasp.stop_reason},
        gasp.by.value(),
        name_of(gasp.action));
    if (length >= 0 && static_cast<std::size_t>(length) < line.size()) {
        line[static_cast<std::size_t>(length)] = ' ';  // Instead of the terminating zero.
    }
    line.back() = '\n';
    return line;
}

bool write_at_start(int fd, const Line& line) {
    return pwrite(fd, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size());
}

}  // namespace

LastGaspFile::~LastGaspFile() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

bool LastGaspFile::open(const char* path) {
    fd_ = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd_ < 0) {
        return false;
    }
    struct stat status {};
    if (fstat(fd_, &status) == 0 && status.st_size == static_cast<off_t>(kLastGaspSize)) {
        return true;
    }
    Line blank;
    blank.fill(' ');
    blank.back() = '\n';
    return ftruncate(fd_, kLastGaspSize) == 0 && write_at_start(fd_, blank) && fsync(fd_) == 0;
}

void LastGaspFile::write(const char* guardian, const LastGasp& gasp) {
    if (fd_ < 0 || child_ != 0) {
        return;
    }
    const pid_t child = fork();
    if (child == 0) {
        const bool written = write_at_start(fd_, line_of(guardian, gasp)) && fdatasync(fd_) == 0;
        _exit(written ? 0 : 1);
    }
    child_ = child > 0 ? child : 0;  // Without a child, no line.
}

}  // namespace css::guardian
