#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "cssd/base/time.h"
#include "netbeat/wire/seal.h"

namespace css::netbeat {

/// Decides which refused datagrams are worth a line in the log: of each kind one at once, then at
/// most one per kRefusalLogPeriod, telling how many there were. Pure.
inline constexpr Duration kRefusalLogPeriod = std::chrono::seconds{10};

class Refusals {
public:
    /// Counts one. A value: report it now; so many of this kind since the last report, this one
    /// included.
    [[nodiscard]] std::optional<std::uint64_t> add(DatagramVerdict kind, Instant now);

private:
    struct Kind {
        Instant reported = kNever;
        std::uint64_t since = 0;
    };
    std::array<Kind, kDatagramVerdicts> kinds_{};
};

}  // namespace css::netbeat
