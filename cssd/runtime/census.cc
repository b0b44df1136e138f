#include "cssd/runtime/census.h"

#include <algorithm>

#include "cssd/client/css.h"
#include "cssd/client/message.h"
#include "cssd/group/bytes.h"

namespace css::runtime {
namespace {

std::uint32_t reason_of(const core::Notice& notice) {
    if (notice.kind == core::NoticeKind::kLeft) {
        return CSS_REASON_LEFT;
    }
    switch (notice.cause) {
        case RecordCause::kLinkLost: return CSS_REASON_LINK_LOST;
        case RecordCause::kEvicted: return CSS_REASON_EVICTED;
        case RecordCause::kStopped: return CSS_REASON_STOPPED;
        case RecordCause::kRestarted: return CSS_REASON_RESTARTED;
        case RecordCause::kLeave: return CSS_REASON_LEFT;
        case RecordCause::kNone:
        case RecordCause::kFormation:
        case RecordCause::kJoin:
        case RecordCause::kParameters:
        case RecordCause::kVotingFiles: return CSS_REASON_OTHER;
    }
    return CSS_REASON_OTHER;
}

void put_name(group::Writer& out, const std::string& name) {
    for (std::size_t i = 0; i <= CSS_NAME_MAX; ++i) {
        const char c = i < std::min<std::size_t>(name.size(), CSS_NAME_MAX) ? name[i] : '\0';
        out.put(static_cast<std::uint8_t>(c));
    }
}

}  // namespace

void Census::take(const core::Notice& notice) {
    if (notice.kind == core::NoticeKind::kLeft || notice.kind == core::NoticeKind::kEvict) {
        departures_[notice.node] = Departure{notice.unique, notice.incarnation, reason_of(notice)};
    }
}

std::vector<std::byte> Census::complete(const Record& record, NodeNumber self, const Names& names) {
    std::uint32_t departures = 0;
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        Node& node = nodes_[n];
        if (!record.members.contains(n)) {
            node = Node{};
            departures += departures_[n] ? 1U : 0U;
            continue;
        }
        departures_[n].reset();
        if (node.unique != record.unique[n]) {
            node = Node{record.unique[n], record.incarnation};
        }
    }
    group::Writer out;
    out.put(record.incarnation.value());
    out.put(self.value());
    out.put(record.members.count());
    out.put(departures);
    for (const NodeNumber n : record.members) {
        out.put(n.value());
        out.put(nodes_[n].unique.value());
        out.put(nodes_[n].since.value());
        put_name(out, names.node(n));
    }
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        if (const auto& gone = departures_[n]) {
            out.put(n.value());
            out.put(gone->unique.value());
            out.put(gone->reason);
            out.put(gone->incarnation.value());
            put_name(out, names.node(n));
        }
    }
    return out.take();
}

}  // namespace css::runtime
