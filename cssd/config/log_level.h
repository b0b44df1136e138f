#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace css::config {

/// How much goes into the trace, spdlog's levels. With Oracle's numbers, which `crsctl set log css
/// CSSD:N` takes as well as the names:
///
///     0 off    1 warning    2 info (default)    3 debug    4 trace (5 and more as well)
///
/// `error` and `critical` have no number of their own and show as 1.
enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarning, kError, kCritical, kOff };

/// A number from 0 to 9 or one of spdlog's names, `warn` and `err` included; nothing if it is
/// neither.
std::optional<LogLevel> parse_log_level(std::string_view text);
/// spdlog's name: trace, debug, info, warning, error, critical, off.
std::string_view name_of(LogLevel level);
/// Oracle's number.
unsigned number_of(LogLevel level);

}  // namespace css::config
