#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "cssd/group/engine.h"

namespace css::group {

/// The newest entries of the log, encoded as the messages that carry them.
class History {
public:
    History(std::size_t entries_max, std::size_t bytes_max)
        : entries_max_(entries_max), bytes_max_(bytes_max) {}

    void add(Position position, Blob message);
    /// Nothing is kept; `position` is the last one before whatever comes.
    void restart(Position position);
    /// Whether everything after this position is here.
    [[nodiscard]] bool reaches(Position after) const { return after >= before_; }
    [[nodiscard]] const Blob& at(Position position) const;
    [[nodiscard]] Position last() const { return Position{before_.value() + entries_.size()}; }

private:
    std::size_t entries_max_;
    std::size_t bytes_max_;
    Position before_;  ///< The position before the first one kept.
    std::deque<Blob> entries_;
    std::size_t bytes_ = 0;
};

class Engine::Impl {
public:
    explicit Impl(const EngineOptions& options);

    void step(Instant now, const Input& input);
    Output take_output();

    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] bool is_installed() const;
    [[nodiscard]] NodeNumber sequencer() const;

private:
    struct Snapshot {
        Position position;
        std::vector<Blob> messages;
    };
    /// What one peer is being sent: a snapshot, then everything after it; or just the latter.
    struct Shipment {
        Position sent;  ///< The last position sent.
        std::shared_ptr<const Snapshot> snapshot;
        std::size_t part = 0;  ///< The first message of the snapshot not sent.
    };
    struct Peer {
        Instance instance;
        Channel channel;
        std::optional<Position> reported;
        std::optional<Shipment> shipment;
    };
    /// A command of this node that it has not seen in the log.
    struct Pending {
        std::uint64_t number = 0;
        std::optional<std::uint64_t> request;  ///< Whom to answer.
        Command command;
        std::size_t size = 0;
    };

    // engine.cc: records and the log
    void on(const Tick& input);
    void on(const ViewChanged& input);
    void on(const DatagramReceived& input);
    void on(const Request& input);
    void on(const ClientGone& input);
    void take_message(Peer& from, const Message& message);
    void take(Peer& from, const Report& message);
    void take(Peer& from, const Fetch& message);
    void take(Peer& from, const Submit& message);
    void take(Peer& from, const Entry& message);
    void take(Peer& from, const SnapshotBegin& message);
    void take(Peer& from, const SnapshotGroup& message);
    void take(Peer& from, const SnapshotMember& message);
    void take(Peer& from, const SnapshotEnd& message);
    void gather();
    void begin_to_lead();
    void order(Instance origin, std::uint64_t number, Command command);
    void apply(const Entry& entry, Blob encoded);
    void submit_pending();
    void ship();
    void ship_to(Peer& peer);
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot();

    // clients.cc: what clients ask and are told
    [[nodiscard]] Result check(const Request& input) const;
    void enqueue(std::optional<std::uint64_t> request, Command command);
    void answer_own(const State::Applied& applied);
    void deliver(Event event);
    void take_snapshot(State fresh);
    void tell_missed(const State& before);
    void answer_passed();
    void note_kill(const Kill& command, MemberId target);
    void look_at_kills();

    [[nodiscard]] bool leads() const { return leading_; }
    /// Whom this instance takes entries from now.
    [[nodiscard]] bool feeds(const Peer& peer) const;
    void malformed(const Peer& from);
    Notice& notify(NoticeKind kind);
    void check_invariants() const;

    EngineOptions options_;
    Instant now_ = kNever;
    Output output_;

    State state_;
    History history_;
    std::optional<State::Loader> loader_;
    std::weak_ptr<const Snapshot> snapshot_;

    // Of the record in force; made anew with each.
    std::optional<ViewChanged> view_;
    std::map<NodeNumber, Peer> peers_;
    bool leading_ = false;
    NodeNumber fetching_from_;  ///< While this instance, the sequencer, catches up.

    std::deque<Pending> pending_;
    std::size_t pending_bytes_ = 0;
    std::uint64_t next_number_ = 1;
    std::size_t submitted_ = 0;  ///< So many of pending_ are with the sequencer.

    std::map<MemberId, Instant> kill_deadlines_;
};

}  // namespace css::group
