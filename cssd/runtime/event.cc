#include "cssd/runtime/event.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "cssd/base/check.h"

namespace css::runtime {
namespace {

using Wall = std::chrono::system_clock::time_point;
using nlohmann::json;

enum class Zone { kUtc, kLocal };

/// `2026-11-21` SEPARATOR `09:45:24.016`.
std::string time_text(Wall time, Zone zone, char separator) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    const auto millis = std::chrono::floor<std::chrono::milliseconds>(time - whole).count();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
    std::tm parts{};
    const auto* const converted =
        zone == Zone::kUtc ? ::gmtime_r(&seconds, &parts) : ::localtime_r(&seconds, &parts);
    CSS_CHECK(converted != nullptr);
    std::array<char, 64> text{};
    const int size = std::snprintf(text.data(),
                                   text.size(),
                                   "%04d-%02d-%02d%c%02d:%02d:%02d.%03d",
                                   parts.tm_year + 1900,
                                   parts.tm_mon + 1,
                                   parts.tm_mday,
                                   separator,
                                   parts.tm_hour,
                                   parts.tm_min,
                                   parts.tm_sec,
                                   static_cast<int>(millis));
    CSS_CHECK(size > 0);
    return std::string{text.data(), static_cast<std::size_t>(size)};
}

std::optional<Wall> parse_rfc3339(const std::string& text) {
    std::tm parts{};
    int millis = 0;
    int used = 0;
    if (std::sscanf(text.c_str(),
                    "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n",
                    &parts.tm_year,
                    &parts.tm_mon,
                    &parts.tm_mday,
                    &parts.tm_hour,
                    &parts.tm_min,
                    &parts.tm_sec,
                    &millis,
                    &used) != 7 ||
        static_cast<std::size_t>(used) != text.size()) {
        return std::nullopt;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return std::chrono::system_clock::from_time_t(::timegm(&parts)) +
           std::chrono::milliseconds{millis};
}

/// The field, if it is there with the right type.
const json* field(const json& document, const char* name, json::value_t type) {
    const auto found = document.find(name);
    const bool number = type == json::value_t::number_integer && found != document.end() &&
                        found->is_number_integer();
    return found != document.end() && (found->type() == type || number) ? &*found : nullptr;
}

std::string string_field(const json& document, const char* name) {
    const json* const found = field(document, name, json::value_t::string);
    return found == nullptr ? std::string{} : found->get<std::string>();
}

}  // namespace

std::string rfc3339(Wall time) {
    return time_text(time, Zone::kUtc, 'T') + "Z";
}

std::string log_time(Wall time) {
    return time_text(time, Zone::kLocal, ' ');
}

json to_json(const Event& event) {
    json document{{"time", rfc3339(event.when.wall)},
                  {"boottime_ns", event.when.boot.time_since_epoch().count()},
                  {"type", event.type},
                  {"node", event.node.empty() ? json{} : json(event.node)},
                  {"incarnation", event.incarnation},
                  {"members", event.members},
                  {"reason", event.reason}};
    if (!event.file.empty()) {
        document["file"] = event.file;
    }
    return document;
}

std::optional<Event> event_from_json(const json& document) {
    if (!document.is_object()) {
        return std::nullopt;
    }
    const auto time = parse_rfc3339(string_field(document, "time"));
    const json* const boot = field(document, "boottime_ns", json::value_t::number_integer);
    const json* const incarnation = field(document, "incarnation", json::value_t::number_integer);
    const json* const members = field(document, "members", json::value_t::array);
    Event event{.type = string_field(document, "type"),
                .node = string_field(document, "node"),
                .file = string_field(document, "file"),
                .reason = string_field(document, "reason")};
    if (!time || boot == nullptr || incarnation == nullptr || members == nullptr ||
        event.type.empty()) {
        return std::nullopt;
    }
    event.when = {.boot = Instant{Duration{boot->get<std::int64_t>()}}, .wall = *time};
    event.incarnation = incarnation->get<std::uint64_t>();
    for (const json& member : *members) {
        if (!member.is_string()) {
            return std::nullopt;
        }
        event.members.push_back(member.get<std::string>());
    }
    return event;
}

std::string to_text(const Event& event) {
    std::string text =
        log_time(event.when.wall) + "  " + std::to_string(event.incarnation) + "  " + event.type;
    if (!event.node.empty()) {
        text += " " + event.node;
    }
    if (!event.file.empty()) {
        text += " " + event.file;
    }
    if (!event.members.empty()) {
        text += " [";
        for (std::size_t i = 0; i < event.members.size(); ++i) {
            text += (i == 0 ? "" : " ") + event.members.at(i);
        }
        text += "]";
    }
    return event.reason.empty() ? text : text + ": " + event.reason;
}

}  // namespace css::runtime
