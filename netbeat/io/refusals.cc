#include "netbeat/io/refusals.h"

#include <utility>

#include "cssd/base/check.h"

namespace css::netbeat {

std::optional<std::uint64_t> Refusals::add(DatagramVerdict kind, Instant now) {
    CSS_CHECK(kind != DatagramVerdict::kAccepted);
    Kind& one = kinds_.at(static_cast<std::size_t>(kind));
    ++one.since;
    if (now - one.reported < kRefusalLogPeriod) {
        return std::nullopt;
    }
    one.reported = now;
    return std::exchange(one.since, 0);
}

}  // namespace css::netbeat
