#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/config/config.h"

namespace css::config {

enum class Times { kOnce, kRepeatable };

/// One key of the configuration: what sets it, and what a person should know about it. The same
/// table serves the file and the command line.
struct Key {
    std::string_view name;
    std::string_view help;
    Times times;
    /// Stores a checked value; the error says what would be right.
    Status (*set)(Config& config, std::string_view value);
};

std::span<const Key> keys();
/// Nothing when there is no such key.
const Key* find_key(std::string_view name);

/// One `key = value` of a file, with the line that it stands in.
struct Assignment {
    std::string key;
    std::string value;
    unsigned line = 0;
};
/// Splits a configuration file into assignments. Knows no keys. Errors begin with `file:line: `.
Result<std::vector<Assignment>> read_assignments(const std::string& file);

}  // namespace css::config
