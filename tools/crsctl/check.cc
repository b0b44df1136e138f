#include <algorithm>

#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

using nlohmann::json;

constexpr std::string_view kOnline = "CRS-4529: Cluster Synchronization Services is online";
constexpr std::string_view kOffline =
    "CRS-4530: Communications failure contacting Cluster Synchronization Services daemon";

/// Which nodes `check cluster` is about: all, those named, or this one.
struct Selection {
    bool all = false;
    std::vector<std::string> names;
    bool understood = true;
};

Selection select(const std::vector<std::string>& words) {
    Selection selection;
    bool naming = false;
    for (const auto& word : words) {
        if (word == "-all") {
            selection.all = true;
            naming = false;
        } else if (word == "-n") {
            naming = true;
        } else if (naming && !word.starts_with('-')) {
            selection.names.push_back(word);
        } else {
            selection.understood = false;
        }
    }
    const bool nobody_named = naming && selection.names.empty();
    selection.understood =
        selection.understood && !nobody_named && !(selection.all && !selection.names.empty());
    return selection;
}

}  // namespace

Exit check_css(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return usage("check css takes no arguments");
    }
    const Reply reply = view(invocation);
    if (!reply.good()) {
        return reply.exit;
    }
    const std::string phase = text_at(reply.answer, "/phase");
    if (phase != "member") {
        return fail(invocation,
                    "The daemon answers; its state is " + phase + ".\n" + std::string{kOffline});
    }
    if (invocation.output == Output::kJson) {
        say(json{{"ok", true}, {"online", true}, {"phase", phase}}.dump());
    } else {
        say(kOnline);
    }
    return Exit::kDone;
}

Exit check_cluster(const Invocation& invocation) {
    const Selection selection = select(invocation.words);
    if (!selection.understood) {
        return usage("check cluster: give nothing, -all, or -n and names of nodes");
    }
    const Reply reply = view(invocation);
    if (!reply.good()) {
        return reply.exit;
    }
    auto wanted = selection.names;
    if (wanted.empty() && !selection.all) {
        wanted.push_back(text_at(reply.answer, "/node"));
    }
    std::string blocks;
    json nodes = json::array();
    bool all_online = true;
    const std::string line(62, '*');
    for (const json& node : array_at(reply.answer, "/nodes")) {
        const std::string name = text_at(node, "/name");
        const auto found = std::ranges::find(wanted, name);
        if (found == wanted.end() && !selection.all) {
            continue;
        }
        if (found != wanted.end()) {
            wanted.erase(found);
        }
        const std::string state = text_at(node, "/state");
        const bool online = state == "ONLINE";
        all_online = all_online && online;
        blocks += line + "\n" + name + ":\n" + std::string{online ? kOnline : kOffline} + "\n";
        nodes.push_back({{"name", name}, {"online", online}, {"state", state}});
    }
    if (!wanted.empty()) {
        return fail(invocation, "Node '" + wanted.front() + "' is not in the nodes file.");
    }
    if (invocation.output == Output::kJson) {
        say(json{{"ok", all_online}, {"nodes", nodes}}.dump());
        return all_online ? Exit::kDone : Exit::kFailed;
    }
    blocks += line;
    if (!all_online) {
        return fail(invocation, blocks);
    }
    say(blocks);
    return Exit::kDone;
}

}  // namespace css::crsctl
