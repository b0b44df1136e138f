#include "cssd/runtime/control_requests.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "cssd/config/config.h"
#include "cssd/config/duration.h"
#include "cssd/config/parameters.h"

namespace css::runtime {
namespace {

using core::RequestResult;
using nlohmann::json;

json success() {
    return {{"ok", true}};
}

/// A text field of the request; empty when it is missing or no text.
std::string text_of(const json& request, const char* name) {
    const auto found = request.find(name);
    return found != request.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Text of a user, fit to be shown: bounded, no control characters.
std::string shown(std::string_view text) {
    constexpr std::size_t kShownMax = 64;
    std::string result{text.substr(0, kShownMax)};
    std::ranges::replace_if(
        result, [](char c) { return c < ' ' || c > '~'; }, '?');
    return result;
}

Answer now(json answer) {
    return AnswerNow{std::move(answer)};
}

Answer later(ControlBackend::Request request) {
    return AnswerLater{.request = request, .finish = outcome};
}

// ------------------------------------------------------------------------------ queries

Answer answer_view(ControlBackend& backend, const json&) {
    return now(to_json(backend.view()));
}

Answer answer_history(ControlBackend& backend, const json&) {
    json events = json::array();
    for (const Event& event : backend.history()) {
        events.push_back(to_json(event));
    }
    return now({{"ok", true}, {"events", std::move(events)}});
}

Answer answer_groups(ControlBackend& backend, const json&) {
    return now(backend.groups());
}

Answer answer_watch(ControlBackend&, const json&) {
    return AnswerWatch{success()};
}

// ------------------------------------------------------------------------------ changes

core::SetParameters change_request(config::Parameter which, std::chrono::milliseconds value) {
    core::SetParameters change;
    switch (which) {
        case config::Parameter::kMisscount: change.misscount = value; break;
        case config::Parameter::kDisktimeout: change.disktimeout = value; break;
        case config::Parameter::kReboottime: change.reboottime = value; break;
    }
    return change;
}

/// Judges the change against the time-outs as they are now; only a good one goes to the core,
/// which judges again against those of the moment when it decides.
Answer change(ControlBackend& backend, config::Parameter which, const std::string& value) {
    const DaemonView view = backend.view();
    if (!view.cluster_guid) {
        return now(refusal("No voting file was read yet, so the time-outs are not known."));
    }
    const auto changed = config::change_parameter(view.status.newest.parameters, which, value);
    if (!changed) {
        return now(refusal(changed.error().message));
    }
    const auto finish = [&backend, which, value](RequestResult result) {
        if (result == RequestResult::kConflict) {
            const auto again =
                config::change_parameter(backend.view().status.newest.parameters, which, value);
            if (!again) {
                return refusal(again.error().message);
            }
        }
        return outcome(result);
    };
    return AnswerLater{.request = change_request(which, config::value_of(*changed, which)),
                       .finish = finish};
}

Answer answer_set(ControlBackend& backend, const json& request) {
    const auto which = config::parameter_named(text_of(request, "parameter"));
    if (!which) {
        return now(refusal("Unknown parameter '" + shown(text_of(request, "parameter")) + "'."));
    }
    return change(backend, *which, text_of(request, "value"));
}

Answer answer_unset(ControlBackend& backend, const json& request) {
    const auto which = config::parameter_named(text_of(request, "parameter"));
    if (!which) {
        return now(refusal("Unknown parameter '" + shown(text_of(request, "parameter")) + "'."));
    }
    return change(backend, *which, config::format_duration(config::value_of(Parameters{}, *which)));
}

Answer answer_evict(ControlBackend& backend, const json& request) {
    const std::string name = text_of(request, "node");
    const Names names = backend.view().names;
    for (unsigned number = 1; number <= kNodesMax; ++number) {
        const NodeNumber node{number};
        if (!name.empty() && names.nodes[node] == name) {
            return later(core::EvictNode{node});
        }
    }
    return now(refusal("Node '" + shown(name) + "' is not in the nodes file."));
}

Answer answer_stop(ControlBackend&, const json&) {
    return later(core::Leave{});
}

Answer answer_stop_cluster(ControlBackend&, const json&) {
    return later(core::StopClusterNodes{});
}

Answer start_mode(ControlBackend& backend, config::StartMode mode) {
    if (auto saved = backend.save_key("start_mode", config::name_of(mode)); !saved) {
        return now(refusal("start_mode cannot be saved: " + saved.error().message));
    }
    return later(core::SetStandby{mode == config::StartMode::kDisabled});
}

Answer answer_enable(ControlBackend& backend, const json&) {
    return start_mode(backend, config::StartMode::kEnabled);
}

Answer answer_disable(ControlBackend& backend, const json&) {
    return start_mode(backend, config::StartMode::kDisabled);
}

Answer answer_set_log(ControlBackend& backend, const json& request) {
    const auto level = config::parse_log_level(text_of(request, "level"));
    if (!level) {
        return now(refusal("Invalid log level '" + shown(text_of(request, "level")) +
                           "': give 0 to 5, or trace, debug, info, warning, error, critical "
                           "or off."));
    }
    backend.set_log_level(*level);
    return now({{"ok", true}, {"number", config::number_of(*level)}});
}

Answer answer_set_critical(ControlBackend& backend, const json& request) {
    const std::string value = text_of(request, "value");
    if (value != "yes" && value != "no") {
        return now(
            refusal("Invalid value '" + shown(value) + "' for CSS_CRITICAL: give yes or no."));
    }
    const std::uint32_t weight = backend.view().status.weight % config::kCriticalWeight +
                                 (value == "yes" ? config::kCriticalWeight : 0);
    if (auto saved = backend.save_key("weight", std::to_string(weight)); !saved) {
        return now(refusal("CSS_CRITICAL cannot be saved: " + saved.error().message));
    }
    return later(core::SetWeight{weight});
}

/// Bounded: more than two whole sets are a mistake.
std::optional<std::vector<std::string>> texts_of(const json& request, const char* name) {
    std::vector<std::string> texts;
    const auto found = request.find(name);
    if (found == request.end()) {
        return texts;
    }
    if (!found->is_array() || found->size() > kFilesMax) {
        return std::nullopt;
    }
    for (const json& text : *found) {
        if (!text.is_string()) {
            return std::nullopt;
        }
        texts.push_back(text.get<std::string>());
    }
    return texts;
}

Answer answer_change_votedisks(ControlBackend& backend, const json& request) {
    const auto add = texts_of(request, "add");
    const auto remove = texts_of(request, "remove");
    if (!add || !remove || (add->empty() && remove->empty())) {
        return now(refusal("Give from 1 to 15 voting files."));
    }
    // Looked at, not copied: a copy of something nested deeply would take the thread's whole stack.
    const auto replace = request.find("replace");
    if (replace != request.end() && !replace->is_boolean()) {
        return now(refusal("Give true or false for replace."));
    }
    const FileChange change{*add, *remove, replace != request.end() && replace->get<bool>()};
    return AnswerWhenDone{[&backend, change](ControlBackend::Answered done) {
        backend.change_voting_files(change, std::move(done));
    }};
}

Answer answer_reload_nodes(ControlBackend& backend, const json&) {
    return AnswerWhenDone{
        [&backend](ControlBackend::Answered done) { backend.reload_nodes(std::move(done)); }};
}

Answer answer_replace_key(ControlBackend& backend, const json&) {
    return AnswerWhenDone{
        [&backend](ControlBackend::Answered done) { backend.replace_key(std::move(done)); }};
}

struct Handler {
    std::string_view name;
    Privilege needs;
    Answer (*answer)(ControlBackend& backend, const json& request);
};

constexpr std::array kHandlers{
    Handler{"view", Privilege::kNone, answer_view},
    Handler{"history", Privilege::kNone, answer_history},
    Handler{"groups", Privilege::kNone, answer_groups},
    Handler{"watch", Privilege::kNone, answer_watch},
    Handler{"set", Privilege::kAdministrator, answer_set},
    Handler{"unset", Privilege::kAdministrator, answer_unset},
    Handler{"evict", Privilege::kAdministrator, answer_evict},
    Handler{"stop", Privilege::kAdministrator, answer_stop},
    Handler{"stop_cluster", Privilege::kAdministrator, answer_stop_cluster},
    Handler{"enable", Privilege::kAdministrator, answer_enable},
    Handler{"disable", Privilege::kAdministrator, answer_disable},
    Handler{"set_log", Privilege::kAdministrator, answer_set_log},
    Handler{"change_votedisks", Privilege::kAdministrator, answer_change_votedisks},
    Handler{"reload_nodes", Privilege::kAdministrator, answer_reload_nodes},
    Handler{"replace_key", Privilege::kAdministrator, answer_replace_key},
    Handler{"set_critical", Privilege::kAdministrator, answer_set_critical},
};

}  // namespace

Answer handle_request(ControlBackend& backend, const json& request, Privilege privilege) {
    const std::string name = text_of(request, "request");
    const auto* const handler = std::ranges::find(kHandlers, name, &Handler::name);
    if (handler == kHandlers.end()) {
        return now(refusal("Unknown request '" + shown(name) + "'."));
    }
    if (handler->needs == Privilege::kAdministrator && privilege == Privilege::kNone) {
        return now(refusal("CRS-4563: Insufficient user privileges."));
    }
    return handler->answer(backend, request);
}

json outcome(RequestResult result) {
    switch (result) {
        case RequestResult::kDone: return success();
        case RequestResult::kUnknownNode:
            return refusal("The node is not a member of the cluster.");
        case RequestResult::kConflict:
            return refusal("The request conflicts with a change made meanwhile; try again.");
        case RequestResult::kNotMember:
            return refusal("This node is not an active member of the cluster.");
        case RequestResult::kBusy:
            return refusal("Another request of this kind is under way on this node; try again.");
        case RequestResult::kStopped:
            return refusal("The daemon on this node stopped before the request was done.");
        case RequestResult::kBadFiles:
            return refusal(
                "The voting files asked for are no set: give an odd count from 1 to 15.");
        case RequestResult::kFilesNotReady:
            return refusal("Not every member of the cluster can use the new voting files.");
        case RequestResult::kFilesChanged:
            return refusal("Somebody else changed the voting files meanwhile; look at them again.");
    }
    return refusal("");
}

json refusal(const std::string& text) {
    return {{"ok", false}, {"error", text}};
}

}  // namespace css::runtime
