#include "cssd/runtime/render.h"

namespace css::runtime {

std::string_view words(RecordCause cause) {
    switch (cause) {
        case RecordCause::kNone: return "";
        case RecordCause::kFormation: return "the cluster forms";
        case RecordCause::kJoin: return "a node joins";
        case RecordCause::kLinkLost: return "a network link was lost";
        case RecordCause::kLeave: return "a node leaves";
        case RecordCause::kStopped: return "a node stopped";
        case RecordCause::kRestarted: return "a node restarted";
        case RecordCause::kEvicted: return "an administrator evicted a node";
        case RecordCause::kParameters: return "an administrator changed the time-outs";
        case RecordCause::kVotingFiles: return "the voting files change";
    }
    return "";
}

std::string_view words(core::ConfirmRule rule) {
    switch (rule) {
        case core::ConfirmRule::kNone: return "";
        case core::ConfirmRule::kKillBlock: return "its kill block says that it stopped";
        case core::ConfirmRule::kE1: return "it said itself that it stopped (E1)";
        case core::ConfirmRule::kE2: return "a later instance of it was seen (E2)";
        case core::ConfirmRule::kE3Short: return "its lease ended within misscount (E3)";
        case core::ConfirmRule::kE3Long: return "its lease ended within disktimeout (E3)";
        case core::ConfirmRule::kE4: return "the fence command confirmed it off (E4)";
        case core::ConfirmRule::kE5: return "it was resetting and reboottime has passed (E5)";
        case core::ConfirmRule::kE6: return "it never became active (E6)";
    }
    return "";
}

std::string_view words(core::StopReason reason) {
    switch (reason) {
        case core::StopReason::kNone: return "";
        case core::StopReason::kLeaseLapsed: return "its lease has ended";
        case core::StopReason::kEvicted: return "a newer record does not list this instance";
        case core::StopReason::kKilled: return "the kill block names this instance";
        case core::StopReason::kReplaced: return "a later instance of this node number was seen";
        case core::StopReason::kSlotTaken: return "another host uses this node's slot";
        case core::StopReason::kGuardianLost: return "a guardian is missing";
    }
    return "";
}

std::string_view words(core::StartRefusal refusal) {
    switch (refusal) {
        case core::StartRefusal::kNone: return "";
        case core::StartRefusal::kNoMajority: return "too few voting files can be read";
        case core::StartRefusal::kOwnUnreadable:
            return "its own sectors cannot be read on a majority of the voting files";
        case core::StartRefusal::kSlotMoves:
            return "another daemon with this node number writes the slot";
        case core::StartRefusal::kNumberHeard:
            return "network heartbeats of this node number are heard";
        case core::StartRefusal::kForeignHost:
            return "the slot was last held by another host, not yet known to be gone";
        case core::StartRefusal::kFormerLife:
            return "the former daemon, its clients or its I/O may still be alive";
    }
    return "";
}

std::string alert_started() {
    return "CRS-1713: CSSD daemon is started in clustered mode";
}

std::string alert_stopped(std::string_view node) {
    return "CRS-1603: CSSD on node " + std::string{node} + " has been shut down.";
}

std::string alert_fatal(std::string_view tag, const Names& names) {
    return "CRS-1656: The CSS daemon is terminating due to a fatal error; Details at " +
           std::string{tag} + " in " + names.trace_file;
}

std::string alert_undiscovered(const Names& names) {
    return "CRS-1714: Unable to discover any voting files, retrying discovery in 15 seconds; "
           "Details at (:CSSNM00070:) in " +
           names.trace_file;
}

}  // namespace css::runtime
