#pragma once

#include <ctime>

#include "cssd/base/check.h"
#include "cssd/base/time.h"

namespace css::runtime {

/// CLOCK_BOOTTIME now. Any thread.
inline Instant boot_now() {
    timespec t{};
    CSS_CHECK(::clock_gettime(CLOCK_BOOTTIME, &t) == 0);
    return Instant{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

/// The clock of all decisions. A step back is fatal: every promise of this host is about this
/// clock, and a node that stops is safe where one that goes on is not. One caller at a time.
class CoreTime {
public:
    Instant now() {
        const Instant read = boot_now();
        CSS_CHECK(read >= last_);
        last_ = read;
        return read;
    }

private:
    Instant last_ = kNever;
};

}  // namespace css::runtime
