#include "cssd/runtime/render_parts.h"

namespace css::runtime {
namespace {

using config::LogLevel;
using core::Notice;
using core::NoticeKind;

std::string_view stop_tag(const Notice& n) {
    if (n.required != 0) {
        return kTagQuorum;
    }
    switch (n.stop) {
        case core::StopReason::kEvicted:
        case core::StopReason::kKilled: return kTagEvicted;
        case core::StopReason::kNone:
        case core::StopReason::kLeaseLapsed: return kTagCutOff;
        case core::StopReason::kReplaced:
        case core::StopReason::kSlotTaken:
        case core::StopReason::kGuardianLost: return kTagFatal;
    }
    return kTagFatal;
}

std::string_view request_text(core::RequestResult result) {
    switch (result) {
        case core::RequestResult::kDone: return "done";
        case core::RequestResult::kUnknownNode: return "refused: no such member";
        case core::RequestResult::kConflict: return "refused: conflicting time-outs";
        case core::RequestResult::kNotMember: return "refused: this node is no active member";
        case core::RequestResult::kBusy: return "refused: another one is under way";
        case core::RequestResult::kStopped: return "ended: this instance stopped";
        case core::RequestResult::kBadFiles: return "refused: no set of voting files";
        case core::RequestResult::kFilesNotReady:
            return "refused: a member does not write a new voting file";
        case core::RequestResult::kFilesChanged:
            return "refused: the voting files were changed meanwhile";
    }
    return "";
}

std::string link_text(const Notice& n, const Names& names, std::string_view what) {
    std::string text = "NHB node " + numbered(n.node, names) + " ";
    text += what;
    return text;
}

std::string silence(const Notice& n) {
    return " for " + millis_text(n.silent_for) + " ms";
}

std::string file_text(const Notice& n, const Names& names) {
    return "DHB voting file " + names.file(n.file);
}

std::string tagged(std::string_view tag, const std::string& text) {
    return std::string{tag} + text;
}

std::string instance_text(const Notice& n, const Names& names) {
    return "node " + numbered(n.node, names) + " unique " + std::to_string(n.unique.value());
}

/// `: a node joins`, or nothing.
std::string why(const Notice& n) {
    return n.cause == RecordCause::kNone ? "" : ": " + std::string{words(n.cause)};
}

/// `RCFG incarnation 5 decided with n1 n2`.
std::string record_text(const Notice& n, const Names& names, std::string_view what) {
    return "RCFG " + incarnation_text(n) + " " + std::string{what} + " with " +
           names.list(n.members);
}

TraceLine line(LogLevel level, std::string_view function, std::string text) {
    return {.level = level, .function = function, .text = std::move(text)};
}

TraceLine suspect_line(const Notice& n, const Names& names) {
    return line(LogLevel::kWarning,
                "link",
                link_text(n, names, "not heard") + silence(n) + ", " + std::to_string(n.percent) +
                    "% of misscount; lost in " + millis_text(n.remaining) + " ms");
}

TraceLine file_warning_line(const Notice& n, const Names& names) {
    return line(LogLevel::kWarning,
                "voting_file",
                tagged(kTagFile, file_text(n, names)) + " had no complete cycle" + silence(n) +
                    ", " + std::to_string(n.percent) + "% of disktimeout; offline in " +
                    millis_text(n.remaining) + " ms");
}

TraceLine quorum_line(const Notice& n) {
    return line(LogLevel::kError,
                "quorum",
                tagged(kTagQuorum,
                       "DHB " + std::to_string(n.available) + " voting files available, " +
                           std::to_string(n.required) + " required"));
}

TraceLine evict_line(const Notice& n, const Names& names) {
    return line(
        LogLevel::kWarning,
        "evict",
        tagged(kTagEvicting,
               "RCFG evicting " + instance_text(n, names) + " in " + incarnation_text(n) + why(n)));
}

TraceLine stop_line(const Notice& n, const Names& names) {
    return line(
        LogLevel::kError,
        "stop",
        tagged(stop_tag(n),
               "LHB this instance stops: " + std::string{words(n.stop)} + by_text(n, names)));
}

TraceLine request_line(const Notice& n) {
    return line(LogLevel::kInfo,
                "request",
                "RCFG request " + std::to_string(n.request) + " " +
                    std::string{request_text(n.request_result)});
}

}  // namespace

TraceLine trace_line(const Notice& n, const Names& names) {
    switch (n.kind) {
        case NoticeKind::kStartRefused:
            return line(
                LogLevel::kWarning,
                "start",
                tagged(kTagDiscovery, "DHB slot not taken: " + std::string{words(n.start)}));
        case NoticeKind::kInstanceStarted:
            return line(LogLevel::kInfo,
                        "start",
                        "DHB slot taken, unique " + std::to_string(n.unique.value()));
        case NoticeKind::kSuspect: return suspect_line(n, names);
        case NoticeKind::kInDoubt:
            return line(
                LogLevel::kWarning, "link", link_text(n, names, "in doubt, no echo") + silence(n));
        case NoticeKind::kLinkLost:
            return line(
                LogLevel::kError, "link", link_text(n, names, "lost, no echo") + silence(n));
        case NoticeKind::kLinkRestored:
            return line(LogLevel::kInfo, "link", link_text(n, names, "is heard and hears"));
        case NoticeKind::kFileWarning: return file_warning_line(n, names);
        case NoticeKind::kFileOffline:
            return line(LogLevel::kError,
                        "voting_file",
                        tagged(kTagFile, file_text(n, names)) + " is offline, no complete cycle" +
                            silence(n));
        case NoticeKind::kFileOnline:
            return line(LogLevel::kInfo, "voting_file", file_text(n, names) + " is online");
        case NoticeKind::kQuorumLost: return quorum_line(n);
        case NoticeKind::kBallotStarted:
            return line(LogLevel::kInfo, "ballot", record_text(n, names, "proposed") + why(n));
        case NoticeKind::kDecided:
            return line(
                LogLevel::kInfo,
                "decided",
                record_text(n, names, "decided") + ", proposed" + by_text(n, names) + why(n));
        case NoticeKind::kJoined:
            return line(LogLevel::kInfo,
                        "joined",
                        "RCFG " + instance_text(n, names) + " joined in " + incarnation_text(n));
        case NoticeKind::kLeft:
            return line(LogLevel::kInfo, "left", "RCFG " + instance_text(n, names) + " left");
        case NoticeKind::kEvict: return evict_line(n, names);
        case NoticeKind::kEvictConfirmed:
            return line(LogLevel::kInfo,
                        "evict",
                        "RCFG " + instance_text(n, names) +
                            " has stopped: " + std::string{words(n.confirmed_by)});
        case NoticeKind::kComplete:
            return line(LogLevel::kInfo, "complete", record_text(n, names, "complete"));
        case NoticeKind::kParameter:
            return line(LogLevel::kInfo,
                        "parameter",
                        "RCFG " + incarnation_text(n) + " sets " + parameters_text(n.parameters));
        case NoticeKind::kVotingFiles:
            return line(LogLevel::kInfo,
                        "votedisk",
                        "RCFG " + incarnation_text(n) + " has " + files_text(n, names));
        case NoticeKind::kActive:
            return line(LogLevel::kInfo,
                        "lease",
                        "LHB guardians armed; this node may act, token " +
                            std::to_string(n.incarnation.value()));
        case NoticeKind::kLeaseLost: return stop_line(n, names);
        case NoticeKind::kFenced:
            return line(LogLevel::kInfo, "fenced", "LHB every client is gone; FENCED stands");
        case NoticeKind::kRequestDone: return request_line(n);
    }
    return {};
}

}  // namespace css::runtime
