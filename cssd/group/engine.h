#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "cssd/base/record.h"
#include "cssd/base/time.h"
#include "cssd/group/channel.h"
#include "cssd/group/state.h"
#include "cssd/group/types.h"

namespace css::group {

struct EngineOptions {
    Instance self;
    /// Entries kept for members that were cut off for a while; past them a member gets a snapshot
    /// and its clients are told that they missed something.
    std::size_t history_entries_max = 4096;
    std::size_t history_bytes_max = 4U << 20;
    /// Commands of this node that are not in the log yet; more are answered with kBusy.
    std::size_t pending_max = 16'384;
    std::size_t pending_bytes_max = 16U << 20;
    /// A member that was to be killed and is still one after this time takes its node along.
    Duration kill_patience = std::chrono::seconds{30};
};

// ----------------------------------------------------------------------------------- inputs

/// Time has passed; also the answer to Output::wake_at.
struct Tick {};
/// A record that lists this instance is complete, newer than the one before.
struct ViewChanged {
    Incarnation incarnation;
    NodeSet members;
    PerNode<Unique> unique;
};
/// The plain form of a datagram, authentic and from this node.
struct DatagramReceived {
    NodeNumber from;
    std::span<const std::byte> bytes;
};
/// A client's request; answered once with its id. A client asks one thing at a time, or lives with
/// any order of its requests.
struct Request {
    std::uint64_t id = 0;
    std::variant<Join, Publish, Leave, Kill> what;
};
/// The client is a member of nothing any more: no process of it runs (kGone), or it says so
/// (kLeft).
struct ClientGone {
    Client client = 0;
    LeaveReason reason = LeaveReason::kGone;
};
using Input = std::variant<Tick, ViewChanged, DatagramReceived, Request, ClientGone>;

// ---------------------------------------------------------------------------------- outputs

struct Datagram {
    NodeNumber to;
    Bytes bytes;
};
struct Answer {
    std::uint64_t request = 0;
    Result result = Result::kDone;
    MemberId member;           ///< Of a Join.
    std::uint64_t serial = 0;  ///< Of the group's newest event, the request's own included.
};
/// Tell these clients of this node.
struct Delivery {
    std::vector<Client> clients;
    std::shared_ptr<const Event> event;
};
/// Told to people; what is not named is empty.
enum class NoticeKind : std::uint8_t {
    kViewEntered,    ///< `incarnation`, `node` the sequencer, `position` own.
    kFetching,       ///< From `node`, which has come to `position`.
    kViewInstalled,  ///< `incarnation` at `position`.
    kSnapshotSent,   ///< To `node`, as of `position`.
    kSnapshotTaken,  ///< From `node`, as of `position`.
    kEvent,          ///< `event`.
    kKillAsked,      ///< `group`, `member` on `node`.
    kKillOverdue,    ///< The same; with `evicted` this node asks for the eviction of `node`.
    kMalformed,      ///< From `node`: authentic, but makes no sense; ignored.
};
struct Notice {
    NoticeKind kind = NoticeKind::kViewEntered;
    Incarnation incarnation;
    NodeNumber node;
    Position position;
    std::string group;
    MemberId member;
    bool evicted = false;
    std::shared_ptr<const Event> event;
};

struct Output {
    std::vector<Datagram> datagrams;
    std::vector<Answer> answers;
    std::vector<Delivery> deliveries;
    std::vector<Client> kills;          ///< End these clients of this node now.
    std::vector<NodeNumber> evictions;  ///< Evict these nodes: a member on it could not be killed.
    std::vector<Notice> notices;
    Instant wake_at = kForever;
};

/// The group layer of one instance (GROUPS.md): a log of commands that all members of the newest
/// complete record apply in the same order. Deterministic: no clock, thread, socket or file. One
/// caller at a time; time never goes back.
class Engine {
public:
    explicit Engine(const EngineOptions& options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    Engine(Engine&&) = delete;
    Engine& operator=(Engine&&) = delete;

    void step(Instant now, const Input& input);
    [[nodiscard]] Output take_output();

    [[nodiscard]] const State& state() const;
    /// Under the newest record that this instance was told of, it applies what the sequencer
    /// orders.
    [[nodiscard]] bool is_installed() const;
    /// 'No node' before the first record.
    [[nodiscard]] NodeNumber sequencer() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::group
