#include "cssd/config/parameters.h"

#include <chrono>

#include "cssd/config/duration.h"
#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

using nlohmann::json;

constexpr std::string_view kOfCss = " for Cluster Synchronization Services.";

/// `misscount` and so on, when there is exactly this one word; else empty.
std::string only_word(const Invocation& invocation) {
    return invocation.words.size() == 1 ? invocation.words.front() : "";
}

/// The value as `get css` shows it; empty when the daemon does not know it yet.
std::string value_of(const json& view, const std::string& name) {
    if (name == "clusterguid") {
        return text_at(view, "/cluster_guid");
    }
    if (name == "priority") {
        return text_at(view, "/priority");
    }
    if (!view.contains("parameters") || view.at("parameters").is_null()) {
        return "";
    }
    return config::format_duration(
        std::chrono::milliseconds{number_at(view, "/parameters/" + name + "_ms")});
}

}  // namespace

Exit get_css(const Invocation& invocation) {
    const std::string name = only_word(invocation);
    if (!config::parameter_named(name) && name != "clusterguid" && name != "priority") {
        return usage("get css: give misscount, disktimeout, reboottime, clusterguid or priority");
    }
    const Reply reply = view(invocation);
    if (!reply.good()) {
        return reply.exit;
    }
    const std::string value = value_of(reply.answer, name);
    if (value.empty()) {
        return fail(invocation, "No voting file was read yet, so " + name + " is not known.");
    }
    if (invocation.output == Output::kJson) {
        json document{{"ok", true}, {"parameter", name}, {"value", value}};
        if (config::parameter_named(name)) {
            document["value_ms"] = number_at(reply.answer, "/parameters/" + name + "_ms");
        }
        say(document.dump());
    } else {
        say("CRS-4678: Successful get " + name + " " + value + std::string{kOfCss});
    }
    return Exit::kDone;
}

Exit set_css(const Invocation& invocation) {
    if (invocation.words.size() != 2 || !config::parameter_named(invocation.words.front())) {
        return usage("set css: give misscount, disktimeout or reboottime, and its new value");
    }
    const std::string& name = invocation.words.at(0);
    const std::string& value = invocation.words.at(1);
    const Reply reply =
        change(invocation, {{"request", "set"}, {"parameter", name}, {"value", value}});
    if (!reply.good()) {
        return reply.exit;
    }
    const auto parsed = config::parse_duration(value);
    say("CRS-4684: Successful set of parameter " + name + " to " +
        (parsed ? config::format_duration(*parsed) : value) + std::string{kOfCss});
    return Exit::kDone;
}

Exit unset_css(const Invocation& invocation) {
    const std::string name = only_word(invocation);
    if (!config::parameter_named(name)) {
        return usage("unset css: give misscount, disktimeout or reboottime");
    }
    return change_and_say(
        invocation,
        {{"request", "unset"}, {"parameter", name}},
        "CRS-4647: Configuration parameter " + name + " is reset to default operation value.");
}

Exit get_server(const Invocation& invocation) {
    if (only_word(invocation) != "css_critical") {
        return usage("get server: give css_critical");
    }
    const Reply reply = view(invocation);
    if (!reply.good()) {
        return reply.exit;
    }
    const std::string value = reply.answer.value("css_critical", false) ? "yes" : "no";
    if (invocation.output == Output::kJson) {
        say(json{{"ok", true}, {"attribute", "css_critical"}, {"value", value}}.dump());
    } else {
        say("CRS-5092: Current value of the server attribute CSS_CRITICAL is " + value + ".");
    }
    return Exit::kDone;
}

Exit set_server(const Invocation& invocation) {
    if (invocation.words.size() != 2 || invocation.words.at(0) != "css_critical" ||
        (invocation.words.at(1) != "yes" && invocation.words.at(1) != "no")) {
        return usage("set server: give css_critical and yes or no");
    }
    return change_and_say(invocation,
                          {{"request", "set_critical"}, {"value", invocation.words.at(1)}},
                          "CRS-4416: Server attribute 'CSS_CRITICAL' successfully changed.");
}

Exit get_log(const Invocation& invocation) {
    if (only_word(invocation) != "CSSD") {
        return usage("get log css: give CSSD, the only module");
    }
    const Reply reply = view(invocation);
    if (!reply.good()) {
        return reply.exit;
    }
    if (invocation.output == Output::kJson) {
        say(json{{"ok", true},
                 {"module", "CSSD"},
                 {"level", number_at(reply.answer, "/log_level/number")},
                 {"name", text_at(reply.answer, "/log_level/name")}}
                .dump());
    } else {
        say("Get CSSD Module: CSSD  Log Level: " + text_at(reply.answer, "/log_level/number"));
    }
    return Exit::kDone;
}

Exit set_log(const Invocation& invocation) {
    constexpr std::string_view kModule = "CSSD:";
    const std::string word = only_word(invocation);
    if (!word.starts_with(kModule) || word.size() == kModule.size()) {
        return usage("set log css: give CSSD:LEVEL, as in CSSD:2");
    }
    const Reply reply =
        change(invocation, {{"request", "set_log"}, {"level", word.substr(kModule.size())}});
    if (reply.good()) {
        say("Set CSSD Module: CSSD  Log Level: " + text_at(reply.answer, "/number"));
    }
    return reply.exit;
}

}  // namespace css::crsctl
