#include "cssd/runtime/render_parts.h"

namespace css::runtime {
namespace {

using core::Notice;
using core::NoticeKind;

/// INTERFACE's name of the event; empty when the notice is no part of the membership's story.
std::string_view type_of(NoticeKind kind) {
    switch (kind) {
        case NoticeKind::kSuspect: return "suspect";
        case NoticeKind::kInDoubt: return "in_doubt";
        case NoticeKind::kLinkLost: return "link_lost";
        case NoticeKind::kLinkRestored: return "link_restored";
        case NoticeKind::kFileOffline: return "votedisk_offline";
        case NoticeKind::kFileOnline: return "votedisk_online";
        case NoticeKind::kDecided: return "decided";
        case NoticeKind::kJoined: return "joined";
        case NoticeKind::kLeft: return "left";
        case NoticeKind::kEvict: return "evict";
        case NoticeKind::kEvictConfirmed: return "evict_confirmed";
        case NoticeKind::kComplete: return "complete";
        case NoticeKind::kParameter: return "parameter";
        case NoticeKind::kVotingFiles: return "votedisk_set";
        case NoticeKind::kLeaseLost: return "lease_lost";
        case NoticeKind::kFenced: return "fenced";
        case NoticeKind::kStartRefused:
        case NoticeKind::kInstanceStarted:
        case NoticeKind::kFileWarning:
        case NoticeKind::kQuorumLost:
        case NoticeKind::kBallotStarted:
        case NoticeKind::kActive:
        case NoticeKind::kRequestDone: return "";
    }
    return "";
}

std::string silence(const Notice& n, std::string_view what) {
    return std::string{what} + " for " + millis_text(n.silent_for) + " ms";
}

std::string decided_reason(const Notice& n, const Names& names) {
    std::string reason{words(n.cause)};
    if (n.by.is_some()) {
        reason += (reason.empty() ? "proposed by " : "; proposed by ") + names.node(n.by);
    }
    return reason;
}

std::string reason_of(const Notice& n, const Names& names) {
    switch (n.kind) {
        case NoticeKind::kSuspect:
            return silence(n, "not heard") + ", " + std::to_string(n.percent) +
                   "% of misscount; lost in " + millis_text(n.remaining) + " ms";
        case NoticeKind::kInDoubt:
        case NoticeKind::kLinkLost: return silence(n, "no echo");
        case NoticeKind::kLinkRestored: return "it is heard and hears";
        case NoticeKind::kFileOffline: return silence(n, "no complete cycle");
        case NoticeKind::kDecided: return decided_reason(n, names);
        case NoticeKind::kEvict: return std::string{words(n.cause)};
        case NoticeKind::kLeft: return "it left cleanly";
        case NoticeKind::kEvictConfirmed: return std::string{words(n.confirmed_by)};
        case NoticeKind::kComplete: return "every instance no longer listed has stopped";
        case NoticeKind::kParameter: return parameters_text(n.parameters);
        case NoticeKind::kVotingFiles: return files_text(n, names);
        case NoticeKind::kLeaseLost: return std::string{words(n.stop)} + by_text(n, names);
        case NoticeKind::kFenced: return "every client is gone";
        case NoticeKind::kFileOnline:
        case NoticeKind::kJoined:
        case NoticeKind::kStartRefused:
        case NoticeKind::kInstanceStarted:
        case NoticeKind::kFileWarning:
        case NoticeKind::kQuorumLost:
        case NoticeKind::kBallotStarted:
        case NoticeKind::kActive:
        case NoticeKind::kRequestDone: return "";
    }
    return "";
}

/// Whom an event is about: what happens to this instance itself names no node in the notice.
NodeNumber subject_of(const Notice& n, const Names& names) {
    const bool own = n.kind == NoticeKind::kLeaseLost || n.kind == NoticeKind::kFenced;
    return own ? names.self : n.node;
}

}  // namespace

std::optional<Event> event_of(const Notice& n, const Names& names, const When& when) {
    const std::string_view type = type_of(n.kind);
    if (type.empty()) {
        return std::nullopt;
    }
    Event event{.when = when,
                .type = std::string{type},
                .incarnation = n.incarnation.value(),
                .reason = reason_of(n, names)};
    if (const NodeNumber subject = subject_of(n, names); subject.is_some()) {
        event.node = names.node(subject);
    }
    if (n.kind == NoticeKind::kFileOffline || n.kind == NoticeKind::kFileOnline) {
        event.file = names.file(n.file);
    }
    for (const NodeNumber member : n.members) {
        event.members.push_back(names.node(member));
    }
    return event;
}

}  // namespace css::runtime
