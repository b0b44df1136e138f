#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "cssd/core/arbiter.h"
#include "kill_block/confirm.h"
#include "netbeat/monitor/links.h"
#include "voting/monitor/disk_view.h"
#include "voting/quorum/disk_paxos.h"

namespace css::core {

/// One voting file as the core drives it (PROTOCOL 4).
struct FileProgress {
    FileTag tag;                 ///< Of the file that has, or last had, this place here.
    bool primed = false;         ///< Read once in this life, so writing it is allowed (PROTOCOL 6).
    bool failing = false;        ///< The last cycle failed: the next one waits a full period.
    bool kills_failing = false;  ///< The last one could not write them: the next one in its turn.
    bool own_readable = false;   ///< The priming read showed own H and B readable.

    bool in_flight = false;
    bool stale = false;  ///< The cycle in flight is one of another file that had this place.
    std::uint64_t cycle = 0;
    Instant begin = kNever;       ///< Of the cycle in flight, or of the last one.
    Instant read_begin = kNever;  ///< Of the newest cycle that ended well.
    bool whole_range = false;     ///< It reads every slot the file has.
    unsigned slots = 0;

    /// What the cycle in flight writes.
    bool writes = false;
    Incarnation writes_record;
    Parameters writes_promise;
    NodeState writes_state = NodeState::kJoining;
    std::uint64_t writes_ballot = 0;
    std::uint64_t writes_content = 0;

    /// Own H as it stands here: contents of the newest complete cycle that wrote it.
    Instant complete_begin = kNever;
    Incarnation stands_record;
    Parameters stands_promise;
    NodeState stands_state = NodeState::kJoining;
    std::uint64_t stands_content = 0;

    /// A cycle begun after the adoption of this record published ACTIVE with it and read nothing
    /// newer (may act, third condition).
    Incarnation acted_under;

    std::uint64_t header_generation = 0;  ///< As last read.

    // For people.
    FileState state = FileState::kOffline;
    Instant last_good = kNever;
    Duration cycle_time{};
    unsigned warned_percent = 0;
};

/// The sets that a node published last, by whichever way they came.
struct PublishedSets {
    Unique unique;
    Sequence sequence;
    NodeState state = NodeState::kJoining;
    bool standby = false;
    Incarnation record;
    NodeSet connected;
    NodeSet doubt;
    Instant at = kNever;          ///< When this instance got hold of them.
    PerNode<Instant> changed_at;  ///< Per bit of `connected`.
};

/// Since when the newest instance of a node that the lease depends on counts as acknowledging.
struct LeaseFloor {
    Unique unique;
    Instant at = kNever;
};

/// A member that the lease depends on (PROTOCOL 4: `m`).
struct LeasePeer {
    Instance m;
    Instant floor;             ///< Adoption of the first record that lists it.
    Incarnation listed_until;  ///< Newest adopted record that lists it.
};

/// A former member's record keeping, per slot.
struct Departure {
    Unique unique;
    bool confirmed = false;
    ConfirmRule rule = ConfirmRule::kNone;
    bool fence_asked = false;
    bool off = false;  ///< E4 confirmed it.
    Instant off_at = kNever;
    std::optional<Record> before;  ///< The record just before the one that dropped it, if known.
};

/// When a read first showed a record as adopted by a node (E3's witness condition).
struct AdoptedShown {
    Unique unique;
    Record record;
    Instant at;
};

/// What the leader's ballot and record looked like last, for take-over (PROTOCOL 6).
struct BallotSeen {
    Incarnation instance;
    std::uint64_t mbal = 0;
    std::uint64_t bal = 0;
    Incarnation record;
    Instant changed_at = kNever;
};

/// Own view of one link, for `connected`, `doubt` and the warnings.
struct LinkState {
    bool connected = false;
    bool doubt = false;
    bool lost = false;  ///< Its loss was noticed, so its return will be.
    unsigned warned_percent = 0;
    Instant acknowledged = kNever;
};

class Arbiter::Impl {
public:
    Impl(Instant now, const ArbiterOptions& options);
    void step(Instant now, const Input& input);
    void take_output(Output& into);
    [[nodiscard]] StatusView status(Instant now) const;

private:
    // ---- arbiter.cc: inputs, and the order of everything that one step does
    void on(const Tick&) {}
    void on(const HeartbeatReceived& input);
    void on(const FileOpened& input);
    void on(const FileClosed& input);
    void on(const CycleFinished& input);
    void on(const LeaseAcknowledged& input);
    void on(const GuardianLost& input);
    void on(const ClientsGone& input);
    void on(const FenceConfirmed& input);
    void on(const NodesChanged& input);
    void on(const OperatorRequest& input);
    void evaluate();
    [[nodiscard]] bool nothing_under_way() const;
    void refresh_lease();
    void check_invariants() const;
    [[nodiscard]] bool alive() const {
        return phase_ == Phase::kJoining || phase_ == Phase::kMember;
    }
    [[nodiscard]] bool has_lease() const;
    Notice& notify(NoticeKind kind);
    void wake(Instant at);

    // ---- starting.cc: PROTOCOL 6 'At start', 8 last paragraph
    void evaluate_start();
    [[nodiscard]] StartRefusal start_refusal() const;
    [[nodiscard]] bool foreign_holder_gone() const;
    void begin_instance();

    // ---- disk.cc: cycles
    void observe_cycle(const CycleFinished& input, FileProgress& f);
    bool observe_slots(const CycleFinished& input, const FileProgress& f, voting::ReadTime time);
    void check_own_slot(const CycleFinished& input, const FileProgress& f);
    void prime(FileIndex file, const SlotView& own);
    [[nodiscard]] bool all_readable(const CycleFinished& input) const;
    void note_complete(const CycleFinished& input, FileProgress& f, Incarnation newest_read);
    void note_standing();
    void take_ballot(const CycleFinished& input, const FileProgress& f);
    void watch_files();
    void schedule_cycles();
    [[nodiscard]] bool may_write(FileIndex file) const;
    void start_cycle(FileIndex file, FileProgress& f);
    void add_kills(FileIndex file, CycleOrder& order) const;
    [[nodiscard]] std::optional<KillBlock> kill_wanted(FileIndex file, NodeNumber n) const;
    [[nodiscard]] bool kills_wanted(FileIndex file) const;
    [[nodiscard]] unsigned slots_in_use() const;
    [[nodiscard]] NodeState state_published(const Record& record) const;
    [[nodiscard]] FileSet files_standing(Incarnation at_least) const;
    [[nodiscard]] Duration cycle_time() const;

    // ---- network.cc
    bool observe_sets(NodeNumber n, const PublishedSets& sets);
    void update_links();
    void update_link(NodeNumber n, NodeSet& connected, NodeSet& doubt);
    void warn_link(NodeNumber n, LinkState& link, Instant acknowledged);
    void send_heartbeat();
    void make_datagram(netbeat::Heartbeat& h);
    [[nodiscard]] bool may_echo() const;
    [[nodiscard]] bool echoes(NodeNumber n) const;
    [[nodiscard]] Unique largest_unique(NodeNumber n) const;
    [[nodiscard]] bool replaced(Instance i) const;

    // ---- records.cc
    void learn(const Record& record, bool complete);
    void note_departures(const Record& before);
    void adopt();
    void publish();
    void update_promise();
    void confirm_departures();
    void ask_fence(NodeNumber n, Departure& d);
    [[nodiscard]] kill_block::Evidence evidence_of(Instance victim) const;
    void add_witnesses(kill_block::Evidence& e) const;
    void set_complete(Incarnation i);
    void note_adopted_shown(NodeNumber n, const voting::Heartbeat& h, Instant at);
    void note_listed();
    [[nodiscard]] NodeSet former() const { return listed_ever_ - known_.members; }
    [[nodiscard]] bool adopted_shown(Instance i) const;
    [[nodiscard]] voting::Quorum quorum_of(const Record& r) const;

    // ---- lease.cc
    void update_activation();
    void update_lease();
    [[nodiscard]] Instant disk_time() const;
    [[nodiscard]] Instant acknowledged_by(Instance m) const;
    void note_lease_peers();
    [[nodiscard]] Instant lease_end_with(const Parameters& promise) const;
    /// The guardians act at E; the daemon stops a little earlier by itself, so that there is time
    /// to say why, on the voting files and in the logs. Not at the cost of a SIOT that leaves an
    /// echo its two intervals and little else.
    [[nodiscard]] Duration stop_margin() const {
        return std::min({Duration{kept_.reboottime} / 10,
                         interval(kept_) / 2,
                         (siot(kept_) - 2 * interval(kept_)) / 2});
    }
    /// Of heartbeats: while shorter time-outs wait to be taken, already theirs.
    [[nodiscard]] Duration period() const {
        return std::min(interval(kept_), interval(known_.parameters));
    }
    /// Whether what recurs at `at` is done in this step. A step that answers a wake does with it
    /// what would come due soon after: so heartbeat, cycles and lease share one wake an interval.
    [[nodiscard]] bool due(Instant at) const {
        return now_ >= (woken_ && !fast_ ? at - period() / 16 : at);
    }
    void tell_guardians();
    void stop(StopReason reason, NodeNumber by = NodeNumber{});
    void evaluate_stopping();
    void evaluate_leaving();
    void begin_leaving();
    void end(Exit::Kind kind);

    // ---- files.cc
    void forget_file(FileIndex file);
    void use_file(FileIndex file);
    void note_files(const Record& before);
    [[nodiscard]] bool change_files(Record& target) const;
    [[nodiscard]] std::optional<FileLack> lack_of_files() const;
    void note_files_proposed(const Record& target);
    [[nodiscard]] bool new_files_may_count_alone() const;
    [[nodiscard]] bool published_by_all_members(Incarnation i) const;
    [[nodiscard]] bool header_wanted(FileIndex file);
    [[nodiscard]] HeaderOrder header_order() const;
    [[nodiscard]] bool has_files_requested(FileSet files) const;
    void evaluate_files_request();

    // ---- reconfigure.cc
    struct View;
    void reconfigure();
    void reconfigure_as_member();
    void form();
    [[nodiscard]] bool departed(Instance i) const;
    [[nodiscard]] bool stopped(Instance i) const;  ///< FENCED or RESETTING, not LEFT.
    void view_links(View& v) const;
    [[nodiscard]] bool settled(View& v);
    [[nodiscard]] bool spoke_since(NodeNumber n, Instant since) const;
    [[nodiscard]] NodeSet fresh_among(NodeSet vertices, Instant since) const;
    [[nodiscard]] bool silent(NodeNumber n) const;
    [[nodiscard]] NodeSet admissible_joiners(NodeSet clique) const;
    [[nodiscard]] bool is_joiner(NodeNumber n) const;
    [[nodiscard]] Record next_record(NodeSet members, NodeSet joiners, RecordCause cause) const;
    void propose(const Record& target, NodeSet cohort, bool own_request);
    void stop_proposing();
    [[nodiscard]] bool my_turn(NodeSet cohort, bool own_request);
    [[nodiscard]] NodeSet fully_linked(NodeSet nodes) const;  ///< For a mutation.
    [[nodiscard]] PerNode<NodeSet> adjacency() const;
    [[nodiscard]] PerNode<std::uint32_t> weights() const;

    // ---- requests.cc
    void take_request(std::uint64_t id, const SetParameters& r);
    void take_request(std::uint64_t id, const EvictNode& r);
    void take_request(std::uint64_t id, const StopClusterNodes& r);
    void take_request(std::uint64_t id, const Leave& r);
    void take_request(std::uint64_t id, const SetStandby& r);
    void take_request(std::uint64_t id, const SetWeight& r);
    void take_request(std::uint64_t id, const ChangeVotingFiles& r);
    void finish(std::uint64_t id, RequestResult result);
    void evaluate_requests();
    [[nodiscard]] Parameters with_request(Parameters p) const;
    [[nodiscard]] bool complete_on_all_members(Incarnation i) const;

    ArbiterOptions options_;
    Instant now_;
    Instant awake_since_ = kNever;  ///< Begin of the first step after a sleep; see may_write().
    Phase phase_ = Phase::kStarting;
    Output out_;

    // ---- what spares most inputs the evaluation (arbiter.cc, step)
    bool quiet_ = false;          ///< The last evaluation found nothing under way.
    bool news_ = true;            ///< The input is more than a sign that everything goes on.
    bool lease_stale_ = false;    ///< lease_end_ does not know of later such signs yet.
    bool woken_ = false;          ///< This step's input is a Tick.
    Instant wake_at_ = kForever;  ///< What was evaluated last stays as it is until then.

    // ---- starting
    Instant start_watch_from_ = kNever;                 ///< The slot has not moved since.
    StartRefusal refusal_ = StartRefusal::kNoMajority;  ///< Last one noticed.

    // ---- the instance
    Instance self_;  ///< Unique zero while starting.
    Instant born_at_ = kNever;
    Sequence sequence_;
    std::uint64_t random_state_ = 0;
    bool standby_ = false;
    std::uint32_t weight_ = 1;

    // ---- records
    NodeSet listed_ever_;               ///< Every slot with a unique in known_.
    PerNode<Instant> unique_known_at_;  ///< When its unique in known_ was learned.
    Record known_;                      ///< The newest record known; decided.
    Instant adopted_at_ = kNever;       ///< When known_ was adopted, if it lists self.
    Record published_;                  ///< What own H carries; lags known_ until guardians hold E.
    std::uint64_t gate_serial_ = 0;     ///< Lease serial to be acknowledged first; zero: none.
    Record standing_;                   ///< Newest record that stands in own H on a majority.
    bool stands_ = false;               ///< Own H stands on a majority at all.
    Incarnation complete_;              ///< Newest complete record known.
    bool complete_listed_ = false;      ///< A complete record that lists self was seen.
    PerNode<Departure> departures_;
    PerNode<std::vector<AdoptedShown>> adopted_shown_;
    PerNode<Incarnation> listed_since_;

    // ---- sets of voting files (PROTOCOL 7, Voting files)
    Instant files_floor_ = kNever;   ///< D of known_.files is at least this (PROTOCOL 4).
    Instant next_floor_ = kNever;    ///< Likewise of known_.files_next.
    Instant quorum_since_ = kNever;  ///< When the sets of known_ became known.
    FileSet retired_;                ///< Out of the sets by the newest change.

    // ---- promise (PROTOCOL 7, Parameters)
    Parameters kept_;                 ///< The time-outs this instance lives by.
    Parameters promised_;             ///< What own H says: never less than kept_ in any part.
    std::uint64_t promise_gate_ = 0;  ///< Serial that must be acknowledged before promising less.

    // ---- lease
    std::vector<LeasePeer> lease_peers_;
    PerNode<LeaseFloor> lease_floor_;  ///< Of lease_peers_, to be found by node.
    Instant lease_end_ = kNever;
    Instant lease_fixed_ = kForever;  ///< While stopping: the end that was cut short.
    LeaseUpdate told_;
    Instant told_at_ = kNever;
    std::uint64_t acknowledged_serial_ = 0;
    bool activated_ = false;  ///< May act, third condition; once in its life.
    bool armed_ = false;      ///< Guardians were asked to be armed.
    std::uint64_t armed_serial_ = 0;
    bool acts_ = false;  ///< kActive was noticed.

    // ---- stopping, leaving
    StopReason stop_reason_ = StopReason::kNone;
    NodeNumber stopped_by_;
    std::uint64_t cut_serial_ = 0;
    Instant fence_at_ = kNever;  ///< Latest time for the fence action to begin.
    bool fence_ordered_ = false;
    bool clients_gone_ = false;
    Instant clients_gone_at_ = kNever;
    bool resetting_ = false;  ///< RESETTING may be published.

    // ---- channels
    voting::DiskView disk_;
    voting::DiskPaxos paxos_;
    netbeat::Links links_;
    PerFile<FileProgress> files_;
    PerFile<std::optional<FileOpened>> opened_;  ///< What the shell has open.
    FileSet open_;                               ///< What of it is used.
    std::uint64_t cycle_counter_ = 0;
    std::uint64_t content_ = 1;  ///< Grows when own H has something new to say.
    bool datagram_due_ = false;
    Instant datagram_at_ = kNever;  ///< When the last one was sent.
    NodeSet connected_;
    NodeSet doubt_;
    PerNode<LinkState> link_;
    PerNode<PublishedSets> sets_;
    PerNode<BallotSeen> ballots_;
    PerNode<std::uint32_t> weight_of_;
    Unique echoed_unique_;  ///< Largest that others know of the own number, heard while starting.
    NodeSet stop_requested_;

    // ---- reconfiguration
    bool fast_ = false;  ///< Cycles run back to back.
    ReconfigurationStep step_ = ReconfigurationStep::kNone;
    NodeSet waits_for_;
    Instant loss_at_ = kNever;     ///< First loss of a link since all were well.
    Instant trigger_at_ = kNever;  ///< Since when this node wants another record.
    Instant retry_at_ = kNever;    ///< After losing a ballot.
    Duration turn_jitter_{};
    bool quorum_lost_ = false;

    // ---- requests
    struct ParameterRequest {
        std::uint64_t id = 0;
        SetParameters set;
        Parameters wanted;
    };
    std::optional<ParameterRequest> parameter_request_;
    struct EvictRequest {
        std::uint64_t id = 0;
        Instance victim;
    };
    std::vector<EvictRequest> evict_requests_;
    std::uint64_t stop_request_ = 0;  ///< Id of a StopClusterNodes under way.
    struct FilesRequest {
        std::uint64_t id = 0;
        ChangeVotingFiles change;
        std::uint64_t generation = 0;  ///< Of the sets that it began from.
        Instant deadline;              ///< To be proposed by.
        bool proposed = false;         ///< A ballot for it has begun: it may come true at any time.
    };
    std::optional<FilesRequest> files_request_;
    std::optional<FileLack> files_lack_;  ///< Of the last one that ended for it.

    std::uint64_t random_below(std::uint64_t bound);
    void touch() { ++content_; }
};

}  // namespace css::core
