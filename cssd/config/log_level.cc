#include "cssd/config/log_level.h"

#include <array>
#include <utility>

namespace css::config {

std::optional<LogLevel> parse_log_level(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, LogLevel>, 19> kNames{{
        {"trace", LogLevel::kTrace},  {"debug", LogLevel::kDebug},
        {"info", LogLevel::kInfo},    {"warning", LogLevel::kWarning},
        {"warn", LogLevel::kWarning}, {"error", LogLevel::kError},
        {"err", LogLevel::kError},    {"critical", LogLevel::kCritical},
        {"off", LogLevel::kOff},      {"0", LogLevel::kOff},
        {"1", LogLevel::kWarning},    {"2", LogLevel::kInfo},
        {"3", LogLevel::kDebug},      {"4", LogLevel::kTrace},
        {"5", LogLevel::kTrace},      {"6", LogLevel::kTrace},
        {"7", LogLevel::kTrace},      {"8", LogLevel::kTrace},
        {"9", LogLevel::kTrace},
    }};
    for (const auto& [name, level] : kNames) {
        if (name == text) {
            return level;
        }
    }
    return std::nullopt;
}

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::kTrace: return "trace";
        case LogLevel::kDebug: return "debug";
        case LogLevel::kInfo: return "info";
        case LogLevel::kWarning: return "warning";
        case LogLevel::kError: return "error";
        case LogLevel::kCritical: return "critical";
        case LogLevel::kOff: return "off";
    }
    return "off";
}

unsigned number_of(LogLevel level) {
    switch (level) {
        case LogLevel::kTrace: return 4;
        case LogLevel::kDebug: return 3;
        case LogLevel::kInfo: return 2;
        case LogLevel::kWarning:
        case LogLevel::kError:
        case LogLevel::kCritical: return 1;
        case LogLevel::kOff: return 0;
    }
    return 0;
}

}  // namespace css::config
