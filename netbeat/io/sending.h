#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "cssd/base/priority_mutex.h"
#include "cssd/base/result.h"
#include "netbeat/io/interconnect.h"
#include "netbeat/io/thread.h"
#include "netbeat/wire/heartbeat.h"
#include "netbeat/wire/seal.h"

namespace css::netbeat {

/// The thread "sending" (SOURCES 1.2): encodes, seals and sends what is posted. The mailbox holds
/// one heartbeat and the newest wins: a heartbeat that was not sent in time has nothing to say.
/// Messages of other layers wait in a queue of their own, and only while there is no heartbeat: one
/// message at most stands before it.
class SendingThread {
public:
    static constexpr std::size_t kMessagesMax = 512;

    /// `on_sent` is called on the sending thread after each heartbeat; may be empty.
    /// `interconnect` and `sealer` must outlive this object.
    using OnSent = std::function<void(const Heartbeat&, const SendReport&)>;
    SendingThread(Interconnect& interconnect, const Sealer& sealer, OnSent on_sent);
    ~SendingThread();  ///< Stops.
    SendingThread(const SendingThread&) = delete;
    SendingThread& operator=(const SendingThread&) = delete;
    SendingThread(SendingThread&&) = delete;
    SendingThread& operator=(SendingThread&&) = delete;

    [[nodiscard]] Status start();
    /// Any thread; never waits for a send. Replaces what was posted before and not sent yet.
    void post(const Heartbeat& heartbeat);
    /// Any thread; never waits. A message to one node, 1 to kMessageSizeMax bytes; may be lost as
    /// any datagram. False: the queue is full, or stop() was called.
    bool post_message(NodeNumber to, std::vector<std::byte> message);
    /// Sends what was posted before this call (a last LEFT, say), then ends the thread. Posting
    /// afterwards does nothing.
    void stop();

    [[nodiscard]] std::uint64_t heartbeats_sent() const { return sent_; }
    [[nodiscard]] std::uint64_t heartbeats_replaced() const { return replaced_; }
    [[nodiscard]] std::uint64_t messages_sent() const { return messages_sent_; }

private:
    struct Message {
        NodeNumber to;
        std::vector<std::byte> bytes;
    };
    void run();
    bool take(std::optional<Heartbeat>& heartbeat, std::optional<Message>& message);

    Interconnect& interconnect_;
    const Sealer& sealer_;
    const OnSent on_sent_;
    PriorityMutex mutex_;  // Guards mailbox_, messages_ and stopping_.
    PriorityCondition posted_;
    std::optional<Heartbeat> mailbox_;
    std::deque<Message> messages_;
    bool stopping_ = false;
    std::atomic<std::uint64_t> sent_ = 0;
    std::atomic<std::uint64_t> replaced_ = 0;
    std::atomic<std::uint64_t> messages_sent_ = 0;
    NamedThread thread_;
};

}  // namespace css::netbeat
