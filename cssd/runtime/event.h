#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "cssd/base/time.h"

namespace css::runtime {

/// Both clocks at one moment: the one of all decisions, and the one that people read.
struct When {
    Instant boot;
    std::chrono::system_clock::time_point wall;
};

/// One event of the membership's story, for `query css history` and `watch css events`. Names, not
/// numbers: it stays true when the nodes file changes.
struct Event {
    When when{};
    std::string type{};  ///< One of INTERFACE's: decided, complete, suspect, ...
    std::string node{};  ///< Whom it is about; empty: nobody.
    std::string file{};  ///< The voting file it is about; empty: none.
    std::uint64_t incarnation = 0;
    std::vector<std::string> members{};
    std::string reason{};
};

/// An object with time (RFC 3339, UTC, milliseconds), boottime_ns, type, node, incarnation,
/// members, reason, and file where there is one; `node` is null where there is none.
nlohmann::json to_json(const Event& event);
/// Nothing when the document is not an event.
std::optional<Event> event_from_json(const nlohmann::json& document);
/// One line for people, without the end of line: local time, incarnation, type, whom, members, why.
std::string to_text(const Event& event);

/// `2026-11-21T09:45:24.016Z`.
std::string rfc3339(std::chrono::system_clock::time_point time);
/// `2026-11-21 09:45:24.016`, local time, as in the logs.
std::string log_time(std::chrono::system_clock::time_point time);

}  // namespace css::runtime
