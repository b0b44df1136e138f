#include <algorithm>
#include <array>

#include "cssd/runtime/event.h"
#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

using nlohmann::json;

/// `26.412`.
std::string seconds(std::int64_t millis) {
    std::string fraction = std::to_string(millis % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::to_string(millis / 1000) + "." + fraction;
}

/// Asks for the document about everything; prints it whole, or what `show` makes of it.
Exit show_view(const Invocation& invocation,
               std::string_view part,
               void (*show)(const json& view)) {
    if (!invocation.words.empty()) {
        return usage("too many arguments from '" + invocation.words.front() + "' on");
    }
    const Reply reply = view(invocation);
    if (!reply.good()) {
        return reply.exit;
    }
    if (invocation.output == Output::kText) {
        show(reply.answer);
    } else if (part.empty()) {
        say(reply.answer.dump());
    } else {
        say(json{{"ok", true}, {part, array_at(reply.answer, "/" + std::string{part})}}.dump());
    }
    return Exit::kDone;
}

void show_votedisks(const json& view) {
    say("##  STATE    File Universal Id                File Name Disk group");
    say("--  -----    -----------------                --------- ---------");
    const json disks = array_at(view, "/votedisks");
    std::size_t number = 0;
    for (const json& disk : disks) {
        constexpr std::size_t kFuidWidth = 32;
        constexpr std::size_t kStateWidth = 8;
        say(right(std::to_string(++number), 2) + ". " +
            padded(text_at(disk, "/state"), kStateWidth) + " " +
            padded(text_at(disk, "/fuid"), kFuidWidth) + " (" + text_at(disk, "/path") + ") []");
    }
    say("Located " + std::to_string(disks.size()) + " voting disk(s).");
}

using Row = std::array<std::string, 9>;

/// An age as `12 ms`, or `-`.
std::string age(const json& node, std::string_view pointer) {
    const std::string text = text_at(node, pointer);
    return text.empty() ? "-" : text + " ms";
}

void show_members(const json& view) {
    std::vector<Row> rows{
        {"##", "NAME", "STATE", "UNIQUE", "SINCE", "NHB", "DHB", "WEIGHT", "CONNECTED TO"}};
    for (const json& node : array_at(view, "/nodes")) {
        const std::string links = list_at(node, "/connected_to");
        rows.push_back({text_at(node, "/number"),
                        text_at(node, "/name"),
                        text_at(node, "/state"),
                        text_at(node, "/unique"),
                        text_at(node, "/since_incarnation"),
                        age(node, "/last_nhb_ms"),
                        age(node, "/last_dhb_ms"),
                        text_at(node, "/weight"),
                        links.empty() ? "-" : links});
    }
    std::array<std::size_t, std::tuple_size_v<Row>> widths{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths.at(i) = std::max(widths.at(i), row.at(i).size());
        }
    }
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i + 1 < row.size(); ++i) {
            line += padded(row.at(i), widths.at(i) + 2);
        }
        say(line + row.back());
    }
}

void show_lease(const json& view) {
    const bool may_act = view.value("may_act", false);
    say("May act:          " + std::string{may_act ? "yes" : "no"});
    const std::string left = text_at(view, "/lease/left_ms");
    if (left.empty()) {
        say("Lease left:       none");
        return;
    }
    const std::string limits = list_at(view, "/lease/limited_by");
    const std::string why = limits.empty() ? "every other member hears this node"
                                           : "not heard lately to be heard by: " + limits;
    say("Lease left:       " + seconds(number_at(view, "/lease/left_ms")) + " s, " +
        text_at(view, "/lease/timeout") + " (" + why + ")");
}

void show_reconfiguration(const json& view) {
    const std::string step = text_at(view, "/reconfiguration/step");
    const std::string waits = list_at(view, "/reconfiguration/waits_for");
    say("Reconfiguration:  " + step + (waits.empty() ? "" : ", waits for " + waits));
}

void show_status(const json& view) {
    if (const auto why = text_at(view, "/unprotected"); !why.empty()) {
        say("UNPROTECTED: " + why);
        for (const json& detail : array_at(view, "/unprotected_details")) {
            say("                  " + detail.get<std::string>());
        }
    }
    say("Cluster:          " + text_at(view, "/cluster_name"));
    say("Node:             " + text_at(view, "/node") + " (" + text_at(view, "/number") +
        "), unique " + text_at(view, "/unique") + ", " + text_at(view, "/phase") + ", start mode " +
        text_at(view, "/start_mode"));
    for (const auto* const trouble : {"/fault", "/refusal", "/stop_reason"}) {
        if (const auto text = text_at(view, trouble); !text.empty()) {
            say("Attention:        " + text);
        }
    }
    show_lease(view);
    say("Quorum:           " + text_at(view, "/quorum/online") + " of " +
        text_at(view, "/quorum/configured") + " voting files online, " +
        text_at(view, "/quorum/needed") + " needed");
    say("Incarnation:      " + text_at(view, "/incarnation") + " decided, " +
        text_at(view, "/complete_incarnation") + " complete");
    say("Members:          " + list_at(view, "/members"));
    show_reconfiguration(view);
    const auto eviction = runtime::event_from_json(view.value("last_eviction", json{}));
    say("Last eviction:    " + (eviction ? runtime::to_text(*eviction) : "none"));
    if (const auto lost = text_at(view, "/log_lines_lost"); lost != "0") {
        say("Log lines lost:   " + lost);
    }
}

}  // namespace

Exit query_votedisk(const Invocation& invocation) {
    return show_view(invocation, "votedisks", show_votedisks);
}

Exit query_members(const Invocation& invocation) {
    return show_view(invocation, "nodes", show_members);
}

Exit query_status(const Invocation& invocation) {
    return show_view(invocation, "", show_status);
}

Exit query_history(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return usage("query css history takes no arguments");
    }
    const Reply reply = query(invocation, {{"request", "history"}});
    if (!reply.good()) {
        return reply.exit;
    }
    if (invocation.output == Output::kJson) {
        say(reply.answer.dump());
        return Exit::kDone;
    }
    for (const json& document : array_at(reply.answer, "/events")) {
        if (const auto event = runtime::event_from_json(document)) {
            say(runtime::to_text(*event));
        }
    }
    return Exit::kDone;
}

Exit watch_events(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return usage("watch css events takes no arguments");
    }
    auto client = runtime::ControlClient::connect(invocation.run_dir);
    if (!client || !client->send({{"request", "watch"}})) {
        return unreachable(invocation);
    }
    const auto accepted = client->receive();
    if (!accepted) {
        return unreachable(invocation);
    }
    for (;;) {
        const auto document = client->receive();
        if (!document) {
            return unreachable(invocation);
        }
        const auto event = runtime::event_from_json(*document);
        say(invocation.output == Output::kJson || !event ? document->dump()
                                                         : runtime::to_text(*event));
    }
}

}  // namespace css::crsctl
