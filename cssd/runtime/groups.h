#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "cssd/base/priority_mutex.h"
#include "cssd/base/record.h"
#include "cssd/base/result.h"
#include "cssd/base/shell_thread.h"
#include "cssd/client/server/client_server.h"
#include "cssd/group/engine.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/render.h"

namespace css::runtime {

/// The thread "groups": steps the engine of the group layer (cssd/group) and carries out what it
/// says. Each instance of this node has an engine of its own, from its first complete record on.
/// What it is told waits in a queue; a slow engine delays nobody.
class Groups {
public:
    struct Parts {
        /// Sends a message to one node; may lose it.
        std::function<void(NodeNumber, group::Bytes)> send;
        /// Asks the core to evict a node; a member on it could not be killed.
        std::function<void(NodeNumber)> evict;
        std::function<Names()> names;
        Log& log;
    };

    explicit Groups(Parts parts);
    ~Groups();
    Groups(const Groups&) = delete;
    Groups& operator=(const Groups&) = delete;
    Groups(Groups&&) = delete;
    Groups& operator=(Groups&&) = delete;

    /// Answers and events go to `clients`, which outlives the thread.
    [[nodiscard]] Status start(client::ClientServer& clients);
    void stop();

    // Any thread; never wait.

    /// A record that lists `self` is complete.
    void complete(const Record& record, Instance self);
    /// The instance is over: everybody who waits is told so.
    void instance_ended();
    /// Lost when too many wait; whoever sent it sends it again.
    void datagram(NodeNumber from, std::span<const std::byte> bytes);
    /// For ClientServerOptions.
    [[nodiscard]] client::GroupCalls calls();

    // Any thread; wait for a step of the engine at most.

    /// For `query css groups`.
    [[nodiscard]] nlohmann::json view() const;

private:
    struct Completed {
        group::ViewChanged view;
        Instance self;
    };
    struct Ended {};
    struct Datagram {
        NodeNumber from;
        group::Bytes bytes;
    };
    struct Asked {
        std::uint64_t client = 0;
        std::uint64_t number = 0;
        client::GroupRequest what;
    };
    using Item = std::variant<Completed, Ended, Datagram, Asked, group::ClientGone>;
    /// Who waits for which answer.
    struct Waiting {
        std::uint64_t client = 0;
        std::uint64_t number = 0;
    };
    /// What the windows of 63 peers may bring at once.
    static constexpr std::size_t kDatagramsMax = 1024;

    void put(Item item);
    [[nodiscard]] bool take(std::deque<Item>& items);
    void run();
    void step(const Item& item);
    void take(const Completed& item);
    void take(const Ended& item);
    void take(const Datagram& item);
    void take(const Asked& item);
    void take(const group::ClientGone& item);
    void carry_out(group::Output output);
    void tell(const group::Notice& notice);
    [[nodiscard]] std::optional<client::MemberList> members(const std::string& name) const;
    [[nodiscard]] std::optional<group::Blob> data(const std::string& name,
                                                  group::MemberId member) const;

    const Parts parts_;
    client::ClientServer* clients_ = nullptr;
    ShellThread thread_;

    PriorityMutex queue_mutex_;  ///< Guards these. The dispatch thread takes it.
    PriorityCondition arrived_;
    std::deque<Item> queue_;
    std::size_t datagrams_queued_ = 0;
    std::uint64_t datagrams_lost_ = 0;
    bool stopping_ = false;

    mutable std::mutex engine_mutex_;  ///< Guards these.
    std::unique_ptr<group::Engine> engine_;
    Instance self_;
    std::map<std::uint64_t, Waiting> waiting_;
    std::uint64_t last_request_ = 0;
    Instant wake_at_ = kForever;
};

}  // namespace css::runtime
