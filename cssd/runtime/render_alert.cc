#include <chrono>

#include "cssd/runtime/render_parts.h"

namespace css::runtime {
namespace {

using core::Notice;
using core::NoticeKind;
using std::chrono::milliseconds;

/// `3.500`.
std::string seconds_text(Duration duration) {
    const auto count = std::chrono::floor<milliseconds>(duration).count();
    std::string fraction = std::to_string(count % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::to_string(count / 1000) + "." + fraction;
}

std::string details(std::string_view tag, const Names& names) {
    return "; details at " + std::string{tag} + " in " + names.trace_file;
}

std::string node_alert(const Notice& n, const Names& names) {
    const std::string code = n.percent >= 90 ? "1610" : (n.percent >= 75 ? "1611" : "1612");
    return "CRS-" + code + ": Network communication with node " + numbered(n.node, names) +
           " missing for " + std::to_string(n.percent) +
           "% of timeout interval.  Removal of this node from cluster in " +
           seconds_text(n.remaining) + " seconds";
}

std::string file_alert(const Notice& n, const Names& names) {
    const std::string code = n.percent >= 90 ? "1613" : (n.percent >= 75 ? "1614" : "1615");
    return "CRS-" + code + ": No I/O has completed after " + std::to_string(n.percent) +
           "% of the maximum interval. Voting file " + names.file(n.file) +
           " will be considered not functional in " + millis_text(n.remaining) + " milliseconds";
}

std::string quorum_alert(const Notice& n, const Names& names) {
    return "CRS-1606: The number of voting files available, " + std::to_string(n.available) +
           ", is less than the minimum number of voting files required, " +
           std::to_string(n.required) + ", resulting in CSSD termination to ensure data integrity" +
           details(kTagQuorum, names);
}

std::string stop_alert(const Notice& n, const Names& names) {
    if (n.required != 0) {
        return quorum_alert(n, names);
    }
    switch (n.stop) {
        case core::StopReason::kEvicted:
        case core::StopReason::kKilled:
            if (n.by.is_some()) {
                return "CRS-1608: This node was evicted by node " + std::to_string(n.by.value()) +
                       ", " + names.node(n.by) + details(kTagEvicted, names) + ".";
            }
            break;
        case core::StopReason::kNone:
        case core::StopReason::kLeaseLapsed: break;
        case core::StopReason::kReplaced:
        case core::StopReason::kSlotTaken:
        case core::StopReason::kGuardianLost: return alert_fatal(kTagFatal, names);
    }
    return "CRS-1609: This node is unable to communicate with other nodes in the cluster and is "
           "going down to preserve cluster integrity" +
           details(kTagCutOff, names) + ".";
}

std::string refusal_alert(const Notice& n, const Names& names) {
    if (n.start == core::StartRefusal::kNoMajority) {
        return alert_undiscovered(names);
    }
    return "This node does not take its slot yet: " + std::string{words(n.start)} +
           details(kTagDiscovery, names) + ".";
}

}  // namespace

std::vector<std::string> alert_lines(const Notice& n, const Names& names) {
    switch (n.kind) {
        case NoticeKind::kStartRefused: return {refusal_alert(n, names)};
        case NoticeKind::kSuspect: return {node_alert(n, names)};
        case NoticeKind::kFileWarning: return {file_alert(n, names)};
        case NoticeKind::kFileOffline:
            return {"CRS-1604: CSSD voting file is offline: " + names.file(n.file) +
                    details(kTagFile, names) + "."};
        case NoticeKind::kFileOnline:
            return {"CRS-1605: CSSD voting file is online: " + names.file(n.file) +
                    "; details in " + names.trace_file + "."};
        case NoticeKind::kQuorumLost: return {quorum_alert(n, names)};
        case NoticeKind::kLeft:
            return {"CRS-1625: Node " + names.node(n.node) + ", number " +
                    std::to_string(n.node.value()) + ", was shut down"};
        case NoticeKind::kEvict:
            return {"CRS-1607: Node " + names.node(n.node) + " is being evicted in cluster " +
                    incarnation_text(n) + details(kTagEvicting, names) + "."};
        case NoticeKind::kComplete:
            return {"CRS-1601: CSSD Reconfiguration complete. Active nodes are " +
                    names.list(n.members) + " ."};
        case NoticeKind::kLeaseLost:
            return {stop_alert(n, names),
                    "CRS-1655: CSSD on node " + names.node(names.self) +
                        " detected a problem and started to shutdown."};
        case NoticeKind::kInstanceStarted:
        case NoticeKind::kInDoubt:
        case NoticeKind::kLinkLost:
        case NoticeKind::kLinkRestored:
        case NoticeKind::kBallotStarted:
        case NoticeKind::kDecided:
        case NoticeKind::kJoined:
        case NoticeKind::kEvictConfirmed:
        case NoticeKind::kParameter:
        case NoticeKind::kVotingFiles:
        case NoticeKind::kActive:
        case NoticeKind::kFenced:
        case NoticeKind::kRequestDone: return {};
    }
    return {};
}

}  // namespace css::runtime
