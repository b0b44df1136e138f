// Preloaded into one daemon (LD_PRELOAD), it steps that daemon's view of the wall clock: by the
// seconds, an int64, that the file named by CSS_WALL_CLOCK holds, read anew at every look. No other
// clock, no timer and nobody else's time is touched.

#include <cstdint>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

const std::int64_t* map_step() {
    static constexpr std::int64_t kNone = 0;
    const char* const path = std::getenv("CSS_WALL_CLOCK");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return &kNone;
    }
    void* const map = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return map == MAP_FAILED ? &kNone : static_cast<const std::int64_t*>(map);
}

std::int64_t step() {
    static const std::int64_t* const seconds = map_step();
    return __atomic_load_n(seconds, __ATOMIC_RELAXED);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += step();
    }
    return result;
}

time_t time(time_t* out) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(timeval* __restrict now, void* __restrict /*zone*/) noexcept {
    timespec precise{};
    ::clock_gettime(CLOCK_REALTIME, &precise);
    *now = {.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
    return 0;
}
}
