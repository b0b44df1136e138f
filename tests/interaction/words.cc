#include "tests/interaction/words.h"

#include <sstream>

namespace css::interaction {
namespace {

std::int64_t ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

const char* word(RecordCause c) {
    switch (c) {
        case RecordCause::kNone: return "none";
        case RecordCause::kFormation: return "formation";
        case RecordCause::kJoin: return "join";
        case RecordCause::kLinkLost: return "link lost";
        case RecordCause::kLeave: return "leave";
        case RecordCause::kStopped: return "stopped";
        case RecordCause::kRestarted: return "restarted";
        case RecordCause::kEvicted: return "by hand";
        case RecordCause::kParameters: return "parameters";
        case RecordCause::kVotingFiles: return "voting files";
    }
    return "?";
}

const char* word(core::ConfirmRule r) {
    using core::ConfirmRule;
    switch (r) {
        case ConfirmRule::kNone: return "none";
        case ConfirmRule::kKillBlock: return "K";
        case ConfirmRule::kE1: return "E1";
        case ConfirmRule::kE2: return "E2";
        case ConfirmRule::kE3Short: return "E3 short";
        case ConfirmRule::kE3Long: return "E3 long";
        case ConfirmRule::kE4: return "E4";
        case ConfirmRule::kE5: return "E5";
        case ConfirmRule::kE6: return "E6";
    }
    return "?";
}

const char* word(core::StopReason r) {
    using core::StopReason;
    switch (r) {
        case StopReason::kNone: return "none";
        case StopReason::kLeaseLapsed: return "lease lapsed";
        case StopReason::kEvicted: return "evicted";
        case StopReason::kKilled: return "killed";
        case StopReason::kReplaced: return "replaced";
        case StopReason::kSlotTaken: return "slot taken";
        case StopReason::kGuardianLost: return "guardian lost";
    }
    return "?";
}

const char* word(core::StartRefusal r) {
    using core::StartRefusal;
    switch (r) {
        case StartRefusal::kNone: return "none";
        case StartRefusal::kNoMajority: return "no majority of files";
        case StartRefusal::kOwnUnreadable: return "own sectors unreadable";
        case StartRefusal::kSlotMoves: return "slot moves";
        case StartRefusal::kNumberHeard: return "own number heard";
        case StartRefusal::kForeignHost: return "slot of another host";
        case StartRefusal::kFormerLife: return "former life";
    }
    return "?";
}

const char* word(core::RequestResult r) {
    using core::RequestResult;
    switch (r) {
        case RequestResult::kDone: return "done";
        case RequestResult::kUnknownNode: return "unknown node";
        case RequestResult::kConflict: return "conflict";
        case RequestResult::kNotMember: return "not a member";
        case RequestResult::kBusy: return "busy";
        case RequestResult::kStopped: return "stopped";
        case RequestResult::kBadFiles: return "bad files";
        case RequestResult::kFilesNotReady: return "files not ready";
        case RequestResult::kFilesChanged: return "files changed meanwhile";
    }
    return "?";
}

const char* word(core::Phase p) {
    using core::Phase;
    switch (p) {
        case Phase::kStarting: return "starting";
        case Phase::kJoining: return "joining";
        case Phase::kMember: return "member";
        case Phase::kLeaving: return "leaving";
        case Phase::kStopping: return "stopping";
        case Phase::kEnded: return "ended";
    }
    return "?";
}

}  // namespace

std::string words_of(NodeSet set) {
    std::string text = "{";
    for (const NodeNumber n : set) {
        text += (text.size() > 1 ? " " : "") + std::to_string(n.value());
    }
    return text + "}";
}

std::string words_of(FileSet set) {
    std::string text = "{";
    for (const FileIndex f : set) {
        text += (text.size() > 1 ? " " : "") + std::to_string(f.index() + 1);
    }
    return text + "}";
}

std::string words_of(const core::Notice& x) {
    using core::NoticeKind;
    std::ostringstream s;
    const auto node = [&x] { return x.node.is_some() ? x.node.value() : 0; };
    switch (x.kind) {
        case NoticeKind::kStartRefused: s << "start refused: " << word(x.start); break;
        case NoticeKind::kInstanceStarted: s << "instance started"; break;
        case NoticeKind::kSuspect:
            s << "suspect " << node() << " at " << x.percent << "%, " << ms(x.remaining) << " left";
            break;
        case NoticeKind::kInDoubt: s << "in doubt " << node(); break;
        case NoticeKind::kLinkLost: s << "link lost " << node(); break;
        case NoticeKind::kLinkRestored: s << "link restored " << node(); break;
        case NoticeKind::kFileWarning:
            s << "file " << x.file.index() + 1 << " silent at " << x.percent << "%";
            break;
        case NoticeKind::kFileOffline: s << "file " << x.file.index() + 1 << " offline"; break;
        case NoticeKind::kFileOnline: s << "file " << x.file.index() + 1 << " online"; break;
        case NoticeKind::kQuorumLost:
            s << "quorum lost, " << x.available << " of " << x.required;
            break;
        case NoticeKind::kBallotStarted:
            s << "proposes R" << x.incarnation.value() << ' ' << words_of(x.members) << ", "
              << word(x.cause);
            break;
        case NoticeKind::kDecided:
            s << "decided R" << x.incarnation.value() << ' ' << words_of(x.members) << ", "
              << word(x.cause);
            break;
        case NoticeKind::kJoined: s << "joined " << node(); break;
        case NoticeKind::kLeft: s << "left " << node(); break;
        case NoticeKind::kEvict: s << "evict " << node(); break;
        case NoticeKind::kEvictConfirmed:
            s << "confirmed " << node() << " by " << word(x.confirmed_by);
            break;
        case NoticeKind::kComplete:
            s << "complete R" << x.incarnation.value() << ' ' << words_of(x.members);
            break;
        case NoticeKind::kParameter:
            s << "parameters " << x.parameters.misscount.count() << '/'
              << x.parameters.disktimeout.count() << '/' << x.parameters.reboottime.count();
            break;
        case NoticeKind::kVotingFiles:
            s << "voting files " << words_of(x.files);
            if (!x.files_next.empty()) {
                s << " and " << words_of(x.files_next);
            }
            break;
        case NoticeKind::kActive: s << "may act"; break;
        case NoticeKind::kLeaseLost:
            s << "stops: " << word(x.stop);
            if (x.required != 0) {
                s << ", " << x.available << " of " << x.required << " files";
            }
            break;
        case NoticeKind::kFenced: s << "fenced"; break;
        case NoticeKind::kRequestDone:
            s << "request " << x.request << ' ' << word(x.request_result);
            if (x.request_result == core::RequestResult::kFilesNotReady) {
                s << ": node " << node() << " lacks file " << x.file.index() + 1;
            }
            break;
    }
    return s.str();
}

std::string words_of(const core::StatusView& v) {
    std::ostringstream s;
    s << word(v.phase) << ", R" << v.newest.incarnation.value() << ' ' << words_of(v.newest.members)
      << ", complete R" << v.complete.value() << ", files " << v.files_online << '/'
      << v.files_needed;
    const Parameters& p = v.promise;
    if (!(p == v.newest.parameters)) {
        s << ", keeps " << p.misscount.count() << '/' << p.disktimeout.count() << '/'
          << p.reboottime.count();
    }
    if (v.newest.files_generation > 1) {
        s << ", voting files " << words_of(v.newest.files);
        if (!v.newest.files_next.empty()) {
            s << " and " << words_of(v.newest.files_next);
        }
    }
    if (v.siot_in_force) {
        s << ", short lease because of " << words_of(v.lease_limited_by);
    }
    return s.str();
}

}  // namespace css::interaction
