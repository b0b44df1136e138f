#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "cssd/base/time.h"
#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/message.h"
#include "kill_block/guardian/packet.h"

namespace css::guardian {

/// What became of the watchdog, for people. `detail` is the message's count.
[[nodiscard]] std::string describe(WatchdogState state,
                                   std::uint32_t detail,
                                   const std::string& device);

/// One guardian as the link sees it: what has still to be sent to it, what it has answered. Not
/// thread-safe: the link's lock guards it.
class Peer {
public:
    static constexpr std::size_t kQueueMax = 2048;
    /// So many requests may be without an answer. Few enough that neither they nor their answers
    /// ever fill a socket: a guardian drops an answer that it cannot send.
    static constexpr std::size_t kOwedMax = 32;

    /// What a message from the guardian changed.
    struct News {
        bool welcomed = false;
        bool acknowledged = false;
        bool clients_gone = false;
        std::optional<Message> waiting;
        std::optional<Message> refused;
        std::optional<Message> enlisted;
        std::optional<Message> watchdog;
    };

    void connect(UniqueFd socket);
    [[nodiscard]] int socket() const { return socket_.get(); }
    [[nodiscard]] bool is_lost() const { return !socket_.is_open(); }
    [[nodiscard]] bool is_welcome() const { return welcome_; }
    void close() { socket_.reset(); }

    /// The newest state of the lease; replaces one not sent yet.
    void put_lease(Message lease);
    /// False: the queue is full.
    bool put(const Message& request, std::shared_ptr<const UniqueFd> descriptor = nullptr);
    /// Sends what can be sent now. Nothing but the hello (sent by start()) goes out before the
    /// welcome. False: the connection is broken.
    bool flush(Instant now);
    News take(Instant now, const Message& message);

    /// When it began to owe an answer; kForever: it owes none.
    [[nodiscard]] Instant owes_since() const { return owes_since_; }
    [[nodiscard]] Instance acknowledged_instance() const { return acknowledged_instance_; }
    [[nodiscard]] std::uint64_t acknowledged_serial() const { return acknowledged_serial_; }
    [[nodiscard]] std::size_t clients() const { return clients_; }
    [[nodiscard]] bool clients_gone() const { return clients_gone_; }
    void forget_clients_gone() { clients_gone_ = false; }
    [[nodiscard]] std::uint32_t missing_privileges() const { return missing_privileges_; }

private:
    struct Request {
        Message message;
        std::shared_ptr<const UniqueFd> descriptor;
    };
    void owe(Instant now);

    UniqueFd socket_;
    bool welcome_ = false;
    std::optional<Message> lease_;
    std::deque<Request> queue_;
    std::size_t owed_ = 0;
    Instant owes_since_ = kForever;
    Instance acknowledged_instance_;
    std::uint64_t acknowledged_serial_ = 0;
    std::size_t clients_ = 0;
    bool clients_gone_ = false;
    std::uint32_t missing_privileges_ = 0;
};

}  // namespace css::guardian
