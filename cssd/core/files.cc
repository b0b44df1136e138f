#include <algorithm>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// Another set of voting files (PROTOCOL 7, Voting files). It takes two records:
//
//   1. `files` as before, `files_next` the new set: a majority of each is needed for everything,
//      from the adoption of this record on. Proposed by the node that was asked, when every member
//      has written its slot on every new file: nobody loses its lease by adopting it.
//   2. `files` the new set. Proposed when the first is complete, stands in every member's own H on
//      a majority of *both* sets, and the headers of a majority of the old set show it.
//
// Why the second has to wait, in histories. Let v be a member that acts, A the old set, B the new.
//   - v has not adopted the first record. It renews its lease on a majority of A only, where
//     nobody that counts by B alone writes any more. So: every member has published the first.
//   - v has published it, but not on a majority of B: there its slot looks as if it had never acted
//     (E6). So: on a majority of both. A record heard by NHB stands on a majority of both.
//   - v was dropped by the first record and is not yet known to have stopped; it never needed B.
//   So:
//     the first is complete.
//   - A daemon is started with the paths of A alone. So: a majority of A says in its headers which
//     files there are now; and a majority of A holds the first record in H, which asks for B.
//
// All of these stay true once they are, so a ballot that was begun may end at any later time.

namespace css::core {

/// What was read and written at this place was another file's.
void Arbiter::Impl::forget_file(FileIndex file) {
    FileProgress& f = files_[file];
    const FileProgress before = f;
    f = FileProgress{};
    f.in_flight = before.in_flight;
    f.stale = before.in_flight;
    f.cycle = before.cycle;
    f.begin = before.begin;
    open_.erase(file);
    disk_.forget(file);
}

/// What the shell has open there, unless the newest record knows another file for the place.
void Arbiter::Impl::use_file(FileIndex file) {
    const std::optional<FileOpened>& opened = opened_[file];
    const bool named = voting::Quorum(known_).all().contains(file);
    if (!opened || (named && known_.file_tags[file] != opened->tag)) {
        return;
    }
    FileProgress& f = files_[file];
    if (f.tag != opened->tag) {
        forget_file(file);
        f.tag = opened->tag;
    }
    open_.insert(file);
    f.header_generation = opened->generation;
    f.primed = false;
    f.failing = false;
    f.state = FileState::kPending;
}

/// known_ has replaced `before`.
void Arbiter::Impl::note_files(const Record& before) {
    const FileSet named = voting::Quorum(known_).all();
    for (const FileIndex f : named) {
        if (files_[f].tag != known_.file_tags[f]) {
            forget_file(f);
            use_file(f);  // A record on the way here may have known another file for its place.
        }
    }
    if (before.files_generation == known_.files_generation && before.files == known_.files &&
        before.files_next == known_.files_next) {
        return;
    }
    // A set that this record adds counts from now on: D of it is at least now (PROTOCOL 4).
    const auto floor_of = [this, &before](FileSet set) {
        return set == before.files ? files_floor_ : set == before.files_next ? next_floor_ : now_;
    };
    const Instant files_floor = floor_of(known_.files);
    next_floor_ = floor_of(known_.files_next);
    files_floor_ = files_floor;
    quorum_since_ = now_;
    retired_ = voting::Quorum(before).all() - named;
    Notice& n = notify(NoticeKind::kVotingFiles);  // The shell opens them, also while it starts.
    n.files = known_.files;
    n.files_next = known_.files_next;
}

// ------------------------------------------------------------------------------ the two records

/// Makes `target`, the record after known_, the next step of a change of the voting files, if one
/// can be taken. Returns whether it did.
bool Arbiter::Impl::change_files(Record& target) const {
    if (!known_.files_next.empty()) {
        if (!new_files_may_count_alone()) {
            return false;
        }
        target.files = known_.files_next;
        target.files_next = FileSet{};
        for (const FileIndex f : known_.files - target.files) {
            target.file_tags[f] = FileTag{};
        }
    } else {
        if (!files_request_ || files_request_->generation != known_.files_generation ||
            lack_of_files()) {
            return false;
        }
        const ChangeVotingFiles& change = files_request_->change;
        target.files_next = change.files;
        for (const FileIndex f : change.files - known_.files) {
            target.file_tags[f] = change.tags[f];
        }
        if (mutated(Mutation::kFilesWithoutJoint)) {
            target.files = change.files;
            target.files_next = FileSet{};
        }
    }
    target.files_generation = known_.files_generation + 1;
    return true;
}

/// The first record may be proposed when every member writes its slot on every new file, and on a
/// majority of the new set. Else: who lacks which.
std::optional<FileLack> Arbiter::Impl::lack_of_files() const {
    const FileSet set = files_request_->change.files;
    const FileSet added = set - known_.files;
    for (const NodeNumber n : known_.members) {
        FileSet writes;
        for (const FileIndex f : set) {
            const voting::SlotOnFile& s = disk_.at(f, n);
            const bool same_file =
                known_.files.contains(f) || files_[f].tag == files_request_->change.tags[f];
            if (same_file && open_.contains(f) && s.seen && s.heartbeat_readable &&
                s.heartbeat.unique == known_.unique[n] &&
                now_ < s.first_shown.end + kept_.misscount) {
                writes.insert(f);
            }
        }
        if (!writes.contains(added)) {
            return FileLack{n, (added - writes).lowest()};
        }
        if (!voting::is_majority(set, writes)) {
            return FileLack{n, (set - writes).lowest()};
        }
    }
    return std::nullopt;
}

void Arbiter::Impl::note_files_proposed(const Record& target) {
    if (files_request_ && target.files_generation > files_request_->generation) {
        files_request_->proposed = true;
    }
}

bool Arbiter::Impl::published_by_all_members(Incarnation i) const {
    if (standing_.incarnation < i) {
        return false;
    }
    return std::all_of(known_.members.begin(), known_.members.end(), [this, i](NodeNumber n) {
        const netbeat::Peer& p = links_.peer(n);
        return n == self_.node || (p.unique == known_.unique[n] && p.record >= i);
    });
}

bool Arbiter::Impl::new_files_may_count_alone() const {
    if (mutated(Mutation::kFilesAloneAtOnce)) {
        return true;
    }
    const bool complete =
        complete_ >= known_.incarnation || mutated(Mutation::kFilesAloneIncomplete);
    const bool published = published_by_all_members(known_.incarnation);
    FileSet shown;
    for (const FileIndex f : known_.files) {
        if (files_[f].header_generation >= known_.files_generation) {
            shown.insert(f);
        }
    }
    return complete && published && voting::is_majority(known_.files, shown);
}

// ------------------------------------------------------------------------------------- headers

/// Whether this node is to write the newest record's header on the file, now. Only when the record
/// stands on a majority of its sets: a daemon that starts by that header finds it there.
bool Arbiter::Impl::header_wanted(FileIndex file) {
    const FileProgress& f = files_[file];
    const FileSet files = voting::Quorum(known_).all() | retired_;
    if (f.header_generation >= known_.files_generation || !files.contains(file) ||
        phase_ != Phase::kMember || !known_.lists(self_) ||
        standing_.incarnation != known_.incarnation) {
        return false;
    }
    // One after the other, so that one of them is enough; the bytes are the same from all.
    int rank = 0;
    for (const NodeNumber n : known_.members) {
        rank += n < self_.node ? 1 : 0;
    }
    const Instant turn = adopted_at_ + rank * 2 * period();
    wake(turn);
    return now_ >= turn || files_request_.has_value();
}

HeaderOrder Arbiter::Impl::header_order() const {
    HeaderOrder order;
    order.generation = known_.files_generation;
    order.files = known_.files_next.empty() ? known_.files : known_.files_next;
    order.in_use = voting::Quorum(known_).all();
    order.tags = known_.file_tags;
    return order;
}

// ------------------------------------------------------------------------------------- request

/// Whether `files` of the record hold exactly what was asked for.
bool Arbiter::Impl::has_files_requested(FileSet files) const {
    const ChangeVotingFiles& change = files_request_->change;
    return files == change.files &&
           std::all_of(files.begin(), files.end(), [this, &change](FileIndex f) {
               return change.tags[f] == FileTag{} || change.tags[f] == known_.file_tags[f];
           });
}

void Arbiter::Impl::evaluate_files_request() {
    if (!files_request_) {
        return;
    }
    const FilesRequest& r = *files_request_;
    const auto end = [this](RequestResult result, FileLack lack = {}) {
        Notice& n = notify(NoticeKind::kRequestDone);
        n.request = files_request_->id;
        n.request_result = result;
        n.node = lack.node;
        n.file = lack.file;
        files_request_.reset();
    };
    if (known_.files_generation == r.generation) {
        if (r.proposed || now_ < r.deadline) {
            wake(r.deadline);
            return;
        }
        if (const auto lack = lack_of_files()) {
            files_lack_ = lack;
            end(RequestResult::kFilesNotReady, *lack);
        }
        return;
    }
    if (known_.files_next.empty() && has_files_requested(known_.files)) {
        if (complete_on_all_members(known_.incarnation)) {
            end(RequestResult::kDone);
        }
    } else if (!has_files_requested(known_.files_next)) {
        end(RequestResult::kFilesChanged);
    }
}

}  // namespace css::core
