#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/runtime/core_host.h"
#include "cssd/runtime/log.h"
#include "kill_block/link/orders_page.h"
#include "netbeat/io/dispatch.h"
#include "netbeat/io/interconnect.h"
#include "netbeat/io/sending.h"
#include "netbeat/wire/key_ring.h"
#include "netbeat/wire/nodes_file.h"
#include "netbeat/wire/seal.h"

namespace css::runtime {

class Groups;

/// The node's interconnects with their threads "sending" and "dispatch" (SOURCES 1.2, 1.4). The
/// sockets are bound from the start, which tells the own number; datagrams are sealed for one
/// cluster, so the threads start when its GUID is known from the voting files.
class Network {
public:
    static Result<std::unique_ptr<Network>> bind(netbeat::NodesFile nodes,
                                                 std::optional<NodeNumber> number,
                                                 const netbeat::Key& key);
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    Network(Network&&) = delete;
    Network& operator=(Network&&) = delete;

    [[nodiscard]] NodeNumber self() const { return interconnect_->self(); }
    /// As read last.
    [[nodiscard]] std::shared_ptr<const netbeat::NodesFile> nodes() const;
    /// Takes a nodes file that was read again; kConflict, changing nothing: the own line differs.
    Status take(netbeat::NodesFile nodes);
    /// Whether take() would.
    [[nodiscard]] Status check(const netbeat::NodesFile& nodes) const {
        return interconnect_->check(nodes);
    }

    /// Seals and opens; any thread may change it.
    [[nodiscard]] netbeat::KeyRing& keys() { return *keys_; }

    /// Both are called on the dispatch thread.
    struct Calls {
        /// A message of another node that is no heartbeat.
        std::function<void(NodeNumber, std::span<const std::byte>)> on_message;
        /// What comes from this node is not sealed with a key of ours, and nothing else has come
        /// from it for kRefusalLogPeriod; told that often.
        std::function<void(NodeNumber)> on_unopened;
    };
    /// Once. `orders`: where the guardians find what to say when this daemon is dead.
    Status start(const ClusterGuid& cluster,
                 CoreHost& core,
                 Log& log,
                 guardian::OrdersWriter& orders,
                 Calls calls);
    [[nodiscard]] bool runs() const { return sending_ != nullptr; }
    /// Any thread, after start(); does not wait. The newest wins.
    void post(const netbeat::Heartbeat& heartbeat) { sending_->post(heartbeat); }
    /// Any thread; does not wait. It may be lost; before start() it is.
    void post_message(NodeNumber to, std::vector<std::byte> message);
    /// Sends what was posted last, then ends both threads.
    void stop();

private:
    Network(netbeat::NodesFile nodes,
            const netbeat::Key& key,
            std::unique_ptr<netbeat::Interconnect> interconnect);
    void trace_sent(Log& log, const netbeat::Heartbeat& sent, const netbeat::SendReport& report);
    void heard(CoreHost& core, Log& log, const netbeat::Heartbeat& heartbeat);
    void refused(Log& log,
                 netbeat::DatagramVerdict verdict,
                 const netbeat::Address& from,
                 std::uint64_t count);
    [[nodiscard]] NodeNumber node_at(const netbeat::Address& from) const;
    void leave_farewells(guardian::OrdersWriter& orders, const netbeat::Heartbeat& sent);
    [[nodiscard]] std::vector<guardian::FarewellTarget> targets() const;

    mutable std::mutex nodes_mutex_;  ///< Guards the pointer.
    std::shared_ptr<const netbeat::NodesFile> nodes_;
    const std::shared_ptr<netbeat::KeyRing> keys_;
    const std::unique_ptr<netbeat::Interconnect> interconnect_;
    std::optional<netbeat::Sealer> sealer_;
    std::unique_ptr<netbeat::SendingThread> sending_;
    std::unique_ptr<netbeat::Dispatch> dispatch_;

    Calls calls_;

    // Of the dispatch thread, once it runs.
    PerNode<Instant> heard_at_;

    // Of the sending thread.
    unsigned sent_since_ = 0;
    Instant traced_at_ = kNever;
    netbeat::Heartbeat farewell_;       ///< What the farewells were made of last,
    std::uint64_t farewell_moves_ = 0;  ///< and under which key.
};

}  // namespace css::runtime
