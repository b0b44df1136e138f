#include "cssd/runtime/view.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "cssd/config/config.h"

namespace css::runtime {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::string hex(const Bytes16& bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += kDigits.at(std::to_integer<std::size_t>(b >> 4U));
        text += kDigits.at(std::to_integer<std::size_t>(b & std::byte{0x0F}));
    }
    return text;
}

json names_of(NodeSet nodes, const Names& names) {
    json list = json::array();
    for (const NodeNumber n : nodes) {
        list.push_back(names.node(n));
    }
    return list;
}

json words_or_null(std::string_view text) {
    return text.empty() ? json{} : json(text);
}

/// Milliseconds since then; null when it never happened.
json age(Instant then, const DaemonView& view) {
    if (then == kNever) {
        return {};
    }
    return std::chrono::floor<milliseconds>(view.now.boot - then).count();
}

std::string_view name_of(core::Phase phase) {
    switch (phase) {
        case core::Phase::kStarting: return "starting";
        case core::Phase::kJoining: return "joining";
        case core::Phase::kMember: return "member";
        case core::Phase::kLeaving: return "leaving";
        case core::Phase::kStopping: return "stopping";
        case core::Phase::kEnded: return "ended";
    }
    return "";
}

std::string_view name_of(core::ReconfigurationStep step) {
    switch (step) {
        case core::ReconfigurationStep::kNone: return "none";
        case core::ReconfigurationStep::kSettle: return "settle";
        case core::ReconfigurationStep::kDecide: return "decide";
        case core::ReconfigurationStep::kConfirm: return "confirm";
    }
    return "";
}

std::string_view name_of(core::FileState state) {
    switch (state) {
        case core::FileState::kOffline: return "OFFLINE";
        case core::FileState::kPending: return "PENDING";
        case core::FileState::kOnline: return "ONLINE";
    }
    return "";
}

std::string_view own_state(const core::StatusView& status) {
    switch (status.phase) {
        case core::Phase::kStarting:
        case core::Phase::kJoining: return "JOINING";
        case core::Phase::kMember:
        case core::Phase::kLeaving: return "ONLINE";
        case core::Phase::kStopping:
        case core::Phase::kEnded: return status.stop == core::StopReason::kNone ? "LEFT" : "FENCED";
    }
    return "OFFLINE";
}

/// Which time-out bounds the lease now, and why.
json lease_json(const DaemonView& view) {
    const core::StatusView& s = view.status;
    json left;
    if (s.lease_end != kNever) {
        const auto rest = std::chrono::floor<milliseconds>(s.lease_end - view.now.boot);
        left = std::max(rest, milliseconds{0}).count();
    }
    return {{"left_ms", left},
            {"timeout", s.siot_in_force ? "SIOT" : "LIOT"},
            {"limited_by", names_of(s.lease_limited_by, view.names)}};
}

json parameters_json(const DaemonView& view) {
    if (!view.cluster_guid) {  // Nothing was read that says what they are.
        return {};
    }
    const Parameters& p = view.status.newest.parameters;
    return {{"misscount_ms", p.misscount.count()},
            {"disktimeout_ms", p.disktimeout.count()},
            {"reboottime_ms", p.reboottime.count()}};
}

json node_json(const DaemonView& view, NodeNumber n) {
    const bool self = n == view.names.self;
    const core::NodeView& node = view.status.nodes[n];
    return {{"number", n.value()},
            {"name", view.names.node(n)},
            {"address", view.addresses[n]},
            {"state", member_state(view, n)},
            {"unique", (self ? view.status.self.unique : node.unique).value()},
            {"since_incarnation", node.since.value()},
            {"last_nhb_ms", self ? json{} : age(node.heard_network, view)},
            {"last_dhb_ms", age(node.heard_disk, view)},
            {"connected_to", names_of(node.connected, view.names)},
            {"weight", self ? view.status.weight : node.weight},
            {"member", view.status.newest.members.contains(n)},
            {"start_mode", (self ? view.status.standby : node.standby) ? "disabled" : "enabled"}};
}

json nodes_json(const DaemonView& view) {
    json list = json::array();
    for (unsigned number = 1; number <= kNodesMax; ++number) {
        const NodeNumber n{number};
        if (!view.names.nodes[n].empty() || view.status.newest.members.contains(n)) {
            list.push_back(node_json(view, n));
        }
    }
    return list;
}

json files_json(const DaemonView& view) {
    json list = json::array();
    for (const VotingFileRow& row : view.voting_files) {
        list.push_back(
            {{"number", row.index.index() + 1},
             {"state", name_of(row.state)},
             {"fuid", row.fuid ? json(hex(row.fuid->bytes)) : json{}},
             {"path", row.path},
             {"cycle_us",
              std::chrono::floor<std::chrono::microseconds>(view.status.files[row.index].cycle_time)
                  .count()}});
    }
    return list;
}

/// What the fence action rests on and does not have. `exit` rests on nothing.
json unprotected(const DaemonView& view) {
    if (view.fence_action == config::name_of(config::FenceAction::kExit)) {
        return json{};
    }
    if (!view.watchdog_armed) {
        return "no watchdog";
    }
    return view.can_reset ? json{} : json("this host cannot be reset by the guardians");
}

/// The same in more words, each on a line of its own.
json unprotected_details(const DaemonView& view) {
    json details = json::array();
    if (!unprotected(view).is_null()) {
        if (!view.watchdog.empty()) {
            details.push_back(view.watchdog);
        }
        if (!view.can_reset) {
            details.push_back(
                "the guardians cannot reset this host: they need root, and a build "
                "for real hosts (CSS_REAL_RESET), outside of a network namespace");
        }
    }
    return details;
}

}  // namespace

std::string_view member_state(const DaemonView& view, NodeNumber n) {
    if (n == view.names.self) {
        return own_state(view.status);
    }
    const core::NodeView& node = view.status.nodes[n];
    const milliseconds misscount = view.status.newest.parameters.misscount;
    const Duration quiet = view.now.boot - node.heard_network;
    if (node.evicting) {
        return "EVICTING";
    }
    if (node.unique == Unique{}) {
        return "OFFLINE";
    }
    switch (node.state) {
        case NodeState::kLeft: return "LEFT";
        case NodeState::kFenced: return "FENCED";
        case NodeState::kResetting: return "EVICTING";
        case NodeState::kJoining:
        case NodeState::kActive: break;
    }
    if (node.listed) {
        return quiet > std::min<Duration>(std::chrono::seconds{5}, Duration{misscount} / 6)
                   ? "UNREACHABLE"
                   : "ONLINE";
    }
    return node.state == NodeState::kJoining && quiet < misscount ? "JOINING" : "OFFLINE";
}

json to_json(const DaemonView& view) {
    const core::StatusView& s = view.status;
    return {
        {"ok", true},
        {"time", rfc3339(view.now.wall)},
        {"boottime_ns", view.now.boot.time_since_epoch().count()},
        {"pid", view.pid},
        {"cluster_name", view.cluster_name},
        {"cluster_guid", view.cluster_guid ? json(hex(view.cluster_guid->bytes)) : json{}},
        {"node", view.names.self.is_some() ? json(view.names.node(view.names.self)) : json{}},
        {"number", view.names.self.value()},
        {"unique", s.self.unique.value()},
        {"phase", name_of(s.phase)},
        {"fault", words_or_null(view.fault)},
        {"refusal", words_or_null(words(s.refusal))},
        {"stop_reason", words_or_null(words(s.stop))},
        {"may_act", s.may_act},
        {"lease", lease_json(view)},
        {"unprotected", unprotected(view)},
        {"unprotected_details", unprotected_details(view)},
        {"fence_action", view.fence_action},
        {"incarnation", s.newest.incarnation.value()},
        {"complete_incarnation", s.complete.value()},
        {"members", names_of(s.newest.members, view.names)},
        {"reconfiguration",
         {{"step", name_of(s.step)}, {"waits_for", names_of(s.waits_for, view.names)}}},
        {"quorum",
         {{"online", s.files_online},
          {"needed", s.files_needed},
          {"configured", view.voting_files.size()}}},
        {"parameters", parameters_json(view)},
        {"priority", view.realtime_priority},
        {"weight", s.weight},
        {"css_critical", s.weight >= config::kCriticalWeight},
        {"start_mode", s.standby ? "disabled" : "enabled"},
        {"log_level",
         {{"name", config::name_of(view.log_level)},
          {"number", config::number_of(view.log_level)}}},
        {"log_lines_lost", view.log_lines_lost},
        {"nodes", nodes_json(view)},
        {"votedisks", files_json(view)},
        {"last_eviction", view.last_eviction ? to_json(*view.last_eviction) : json{}},
    };
}

}  // namespace css::runtime
