#pragma once

#include <time.h>

#include "cssd/base/check.h"
#include "cssd/base/time.h"

namespace css::voting {

/// CLOCK_BOOTTIME now, for deadlines of this shell and for people. No rule of the protocol uses
/// it: the core takes the time of a cycle itself, before it orders it.
inline Instant boot_now() {
    timespec t{};
    CSS_CHECK(::clock_gettime(CLOCK_BOOTTIME, &t) == 0);
    return Instant{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

}  // namespace css::voting
