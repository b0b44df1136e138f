#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "cssd/core/arbiter.h"

namespace css::interaction {

/// A few real cores on virtual time, with perfect disks and network except where a script says
/// otherwise. Every delay is fixed, so a script has one outcome. The simulator is for chance; this
/// is for stories that a person reads.
class Cluster {
public:
    struct Options {
        unsigned nodes = 3;
        unsigned configured = 0;  ///< Nodes 1 to this in everybody's nodes file; 0: all.
        unsigned files = 3;
        Parameters parameters;
        /// So long the fence command takes until it confirms; nothing: there is none.
        std::optional<Duration> fence_command;
    };
    /// Called for every notice of every node, in order of time.
    using OnNotice = std::function<void(Instant, NodeNumber, const core::Notice&)>;
    /// A node asks for the fence command on a victim.
    using OnFence = std::function<void(Instant, NodeNumber, Instance victim)>;

    Cluster(const Options& options, OnNotice on_notice, OnFence on_fence);

    void start(NodeNumber n);
    void crash(NodeNumber n);  ///< Daemon, guardians and host gone at once.
    void pause(NodeNumber n);  ///< The daemon stands still; its guardian does not.
    void resume(NodeNumber n);
    void cut(NodeNumber from, NodeNumber to);  ///< `to` no longer hears `from`.
    void heal();
    void hang(NodeNumber n, unsigned file);  ///< Cycles of n on this file do not end.
    void unhang(NodeNumber n, unsigned file);
    void request(NodeNumber n, const core::OperatorRequest& r);
    void lose_guardian(NodeNumber n);  ///< The daemon finds that one of the two is missing.
    /// The daemon has read its nodes file again, which has the nodes 1 to `configured` now.
    void reload(NodeNumber n, unsigned configured);
    /// A voting file is formatted at place `file`, not yet named by any record, and opened by
    /// `nodes`, as their shells do when they hear of it.
    void add_file(unsigned file, NodeSet nodes);
    void close_file(unsigned file);  ///< Every node lets go of it.
    /// The set of these places, as a request of an administrator.
    [[nodiscard]] core::ChangeVotingFiles change_to(const std::vector<unsigned>& files) const;
    void run(Duration time);

    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] std::optional<core::StatusView> status(NodeNumber n) const;
    [[nodiscard]] unsigned nodes() const { return options_.nodes; }
    [[nodiscard]] bool clients_act(NodeNumber n) const;

private:
    struct Node {
        std::unique_ptr<core::Arbiter> core;
        std::uint64_t life = 0;  ///< Events of an older life are dropped.
        bool paused = false;
        bool fenced = false;  ///< The guardian ended its clients.
        core::LeaseUpdate lease;
        std::vector<core::Input> queued;  ///< While paused.
        std::vector<std::shared_ptr<void>> kept;
        std::map<unsigned, bool> hung;
        std::vector<std::function<void()>> held;  ///< Cycles waiting for a hung file.
        Instant wake = kForever;
    };
    struct Event {
        Instant at;
        std::uint64_t order;
        std::function<void()> act;
        bool operator>(const Event& o) const {
            return std::tie(at, order) > std::tie(o.at, o.order);
        }
    };
    struct FileImage {
        std::vector<SlotView> slots;
        FileTag tag;
        core::HeaderOrder header;  ///< Of generation 0: in no set yet.
    };

    void at(Instant when, std::function<void()> act);
    [[nodiscard]] NodeSet configured(NodeNumber n) const;
    [[nodiscard]] FileImage formatted() const;
    [[nodiscard]] const core::HeaderOrder& newest_header() const;
    void open_file(NodeNumber n, FileIndex file);
    void step(NodeNumber n, const core::Input& input, std::shared_ptr<void> keep = nullptr);
    void carry_out(NodeNumber n);
    void guard(NodeNumber n, const core::LeaseUpdate& update);
    void run_cycle(NodeNumber n, const core::CycleOrder& order);
    void send(NodeNumber n, const netbeat::Heartbeat& h);
    Node& node(NodeNumber n) { return nodes_[n]; }

    Options options_;
    OnNotice on_notice_;
    OnFence on_fence_;
    Instant now_{std::chrono::seconds{1}};
    std::uint64_t order_ = 0;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    PerNode<Node> nodes_;
    PerNode<NodeSet> deaf_to_;  ///< deaf_to_[b] holds a: b does not hear a.
    PerFile<FileImage> images_;
    std::uint32_t formatted_ = 0;
};

}  // namespace css::interaction
