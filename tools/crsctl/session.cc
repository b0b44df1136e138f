#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <optional>

#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kQueryMax{10};

/// The field that a JSON pointer names; null when there is none.
json at(const json& document, std::string_view pointer) {
    const json::json_pointer path{std::string{pointer}};
    return document.contains(path) ? document.at(path) : json{};
}

Reply ask(const Invocation& invocation,
          const json& request,
          std::optional<std::chrono::milliseconds> timeout) {
    auto client = runtime::ControlClient::connect(invocation.run_dir);
    if (!client) {
        return {.exit = unreachable(invocation), .answer = {}};
    }
    // A daemon that turns a client away may close before the request is sent, and still say why.
    static_cast<void>(client->send(request).has_value());
    auto answer = client->receive(timeout);
    if (!answer) {
        return {.exit = unreachable(invocation), .answer = {}};
    }
    if (!answer->value("ok", false)) {
        return {.exit = fail(invocation, text_at(*answer, "/error")), .answer = {}};
    }
    return {.exit = Exit::kDone, .answer = std::move(*answer)};
}

}  // namespace

Exit fail(const Invocation& invocation, std::string_view reason, Exit code) {
    std::string verb = invocation.verb;
    verb.at(0) = static_cast<char>(std::toupper(static_cast<unsigned char>(verb.at(0))));
    const std::string closing = "CRS-4000: Command " + verb + " failed, or completed with errors.";
    if (invocation.output == Output::kJson) {
        say(json{{"ok", false}, {"error", reason}, {"closing", closing}}.dump());
    } else {
        say(reason);
        say(closing);
    }
    return code;
}

Exit unreachable(const Invocation& invocation) {
    return fail(invocation,
                "CRS-4530: Communications failure contacting Cluster Synchronization Services "
                "daemon",
                Exit::kUnreachable);
}

Exit usage(std::string_view reason) {
    std::cerr << "crsctl: " << reason << " (see crsctl --help)\n";
    return Exit::kUsage;
}

void say(std::string_view line) {
    std::cout << line << '\n' << std::flush;
}

Reply query(const Invocation& invocation, const json& request) {
    return ask(invocation, request, kQueryMax);
}

Reply change(const Invocation& invocation, const json& request) {
    return ask(invocation, request, std::nullopt);
}

Reply view(const Invocation& invocation) {
    return query(invocation, {{"request", "view"}});
}

Exit change_and_say(const Invocation& invocation, const json& request, std::string_view line) {
    const Reply reply = change(invocation, request);
    if (reply.good()) {
        say(line);
    }
    return reply.exit;
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size()), ' ');
    return text;
}

std::string right(const std::string& text, std::size_t width) {
    return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

std::string text_at(const json& document, std::string_view pointer) {
    const json value = at(document, pointer);
    if (value.is_null()) {
        return {};
    }
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string list_at(const json& document, std::string_view pointer) {
    std::string text;
    for (const json& item : array_at(document, pointer)) {
        text += (text.empty() ? "" : " ") + text_at(item, "");
    }
    return text;
}

std::int64_t number_at(const json& document, std::string_view pointer) {
    const json value = at(document, pointer);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

json array_at(const json& document, std::string_view pointer) {
    json value = at(document, pointer);
    return value.is_array() ? value : json::array();
}

}  // namespace css::crsctl
