#include "cssd/runtime/render_group.h"

namespace css::runtime {
namespace {

using config::LogLevel;
using group::EventKind;
using group::LeaveReason;
using group::Notice;
using group::NoticeKind;

std::string text(std::uint64_t number) {
    return std::to_string(number);
}

std::string_view words(LeaveReason reason) {
    switch (reason) {
        case LeaveReason::kLeft: return "it left";
        case LeaveReason::kGone: return "its process has ended";
        case LeaveReason::kKilled: return "it was killed";
        case LeaveReason::kNode: return "its node is gone";
    }
    return "";
}

std::string event_line(const group::Event& event, const Names& names) {
    const std::string where = event.group + " event " + text(event.serial) + " at position " +
                              text(event.position.value()) + ": member " +
                              text(event.member.value());
    const std::string whose =
        event.node.is_some() ? " (node " + names.node(event.node) + ", pid " + text(event.pid) + ")"
                             : "";
    const std::string size =
        event.data == nullptr ? "" : ", " + text(event.data->size()) + " bytes of data";
    switch (event.kind) {
        case EventKind::kJoined: return where + whose + " joined" + size;
        case EventKind::kLeft: return where + whose + " left: " + std::string{words(event.reason)};
        case EventKind::kPublished: return where + whose + " published" + size;
        case EventKind::kMissed:
            return event.group + ": members here missed " + text(event.missed) +
                   " events, up to event " + text(event.serial);
    }
    return where;
}

std::string target(const Notice& notice, const Names& names) {
    return "member " + text(notice.member.value()) + " of group " + notice.group + " on node " +
           names.node(notice.node);
}

}  // namespace

LogLevel group_level(const Notice& notice) {
    switch (notice.kind) {
        case NoticeKind::kViewEntered:
        case NoticeKind::kFetching:
        case NoticeKind::kViewInstalled:
        case NoticeKind::kSnapshotSent:
        case NoticeKind::kSnapshotTaken: return LogLevel::kInfo;
        case NoticeKind::kEvent:
            switch (notice.event->kind) {
                case EventKind::kJoined:
                case EventKind::kLeft: return LogLevel::kInfo;
                case EventKind::kPublished: return LogLevel::kDebug;
                case EventKind::kMissed: return LogLevel::kWarning;
            }
            return LogLevel::kInfo;
        case NoticeKind::kKillAsked:
        case NoticeKind::kKillOverdue:
        case NoticeKind::kMalformed: return LogLevel::kWarning;
    }
    return LogLevel::kInfo;
}

std::string group_line(const Notice& notice, const Names& names) {
    const std::string node = notice.node.is_some() ? names.node(notice.node) : "";
    const std::string position = "position " + text(notice.position.value());
    switch (notice.kind) {
        case NoticeKind::kViewEntered:
            return "GRP incarnation " + text(notice.incarnation.value()) + " is complete: node " +
                   node + " orders, this node has come to " + position;
        case NoticeKind::kFetching:
            return "GRP node " + node + " has come furthest: fetching up to " + position;
        case NoticeKind::kViewInstalled:
            return "GRP incarnation " + text(notice.incarnation.value()) + " is installed at " +
                   position;
        case NoticeKind::kSnapshotSent:
            return "GRP node " + node + " lacks more than is kept: sending it a snapshot of " +
                   position;
        case NoticeKind::kSnapshotTaken:
            return "GRP took a snapshot of " + position + " from node " + node;
        case NoticeKind::kEvent: return "GRP " + event_line(*notice.event, names);
        case NoticeKind::kKillAsked: return "GRP " + target(notice, names) + " is to be killed";
        case NoticeKind::kKillOverdue:
            return "GRP " + target(notice, names) + " was to be killed and is still there" +
                   (notice.evicted ? "; this node asks for the eviction of its node" : "");
        case NoticeKind::kMalformed:
            return "GRP node " + node + " sent what makes no sense here; ignored";
    }
    return "GRP";
}

std::string group_alert(const Notice& notice, const Names& names) {
    switch (notice.kind) {
        case NoticeKind::kKillAsked:
            return "CRS-1662: Member kill requested for " + target(notice, names) +
                   "; details at (:CSSGM00001:) in " + names.trace_file + ".";
        case NoticeKind::kKillOverdue:
            return "CRS-1664: Member kill of " + target(notice, names) +
                   " has not succeeded in time" +
                   (notice.evicted ? "; its node will be evicted" : "") +
                   "; details at (:CSSGM00002:) in " + names.trace_file + ".";
        case NoticeKind::kViewEntered:
        case NoticeKind::kFetching:
        case NoticeKind::kViewInstalled:
        case NoticeKind::kSnapshotSent:
        case NoticeKind::kSnapshotTaken:
        case NoticeKind::kEvent:
        case NoticeKind::kMalformed: return "";
    }
    return "";
}

}  // namespace css::runtime
