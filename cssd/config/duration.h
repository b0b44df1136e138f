#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cssd/base/result.h"

namespace css::config {

/// Reads a duration as people write it on the command line and in files: a bare number is whole
/// seconds; `ms`, `s` and `min` suffixes are understood, and with a suffix a decimal fraction as
/// long as the result is whole milliseconds (`1.5s`). Never negative, never wraps: what does not
/// fit is an error that says why.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A bare number when it is whole seconds, else with `ms`: `30`, `800ms`. parse_duration reads it
/// back.
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace css::config
