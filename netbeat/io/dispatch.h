#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "cssd/base/result.h"
#include "netbeat/io/interconnect.h"
#include "netbeat/io/refusals.h"
#include "netbeat/io/thread.h"
#include "netbeat/wire/heartbeat.h"
#include "netbeat/wire/seal.h"

namespace css::netbeat {

/// Both are called on the dispatch thread.
struct DispatchCallbacks {
    /// An authentic heartbeat of a configured node, read from its own address; that it is FENCED or
    /// RESETTING may come from any port there, since guardians say it for a dead daemon. Replays
    /// and duplicates (one comes over each interconnect) are passed on: the core knows them by (u,
    /// seq). Take the time of the receipt in here, under the lock that orders the core's steps.
    std::function<void(const Heartbeat&)> on_heartbeat;
    /// An authentic message of a configured node, read from its own address; valid during the call.
    /// Replays and duplicates are passed on, and messages that were meant for another node: whoever
    /// sent it has said in it for whom it is. Empty: messages are refused (kBadMagic).
    std::function<void(NodeNumber, std::span<const std::byte>)> on_message;
    /// Datagrams were refused: the kind, where the last one came from, how many of this kind since
    /// the last call. At most one call per kind and kRefusalLogPeriod. May be empty.
    std::function<void(DatagramVerdict, const Address&, std::uint64_t)> on_refused;
};

/// The thread "dispatch" (SOURCES 1.4): receives from all interconnects, refuses what is not a
/// heartbeat or message of a configured node (SOURCES 2.5) and hands the rest over. One round takes
/// a bounded batch from each socket in turn, so a flood on one interconnect does not silence
/// another.
class Dispatch {
public:
    /// `interconnect` and `sealer` must outlive this object.
    Dispatch(Interconnect& interconnect, const Sealer& sealer, DispatchCallbacks callbacks);
    ~Dispatch();  ///< Stops.
    Dispatch(const Dispatch&) = delete;
    Dispatch& operator=(const Dispatch&) = delete;
    Dispatch(Dispatch&&) = delete;
    Dispatch& operator=(Dispatch&&) = delete;

    [[nodiscard]] Status start();
    /// No callback runs after it returns. Not from within a callback.
    void stop();

    /// Datagrams that ended with this verdict since the start; kAccepted counts the good ones.
    [[nodiscard]] std::uint64_t count(DatagramVerdict verdict) const;
    /// Failed receive calls.
    [[nodiscard]] std::uint64_t receive_errors() const { return receive_errors_; }

private:
    struct Batch;
    void run();
    void drain(std::size_t i);
    void take(std::size_t i, std::span<const std::byte> datagram, const Address& from);
    void pause_after_error();

    Interconnect& interconnect_;
    const Sealer& sealer_;
    const DispatchCallbacks callbacks_;
    std::unique_ptr<Batch> batch_;
    Heartbeat heartbeat_;
    std::array<std::byte, kMessageSizeMax> message_{};
    Refusals refusals_;
    std::array<std::atomic<std::uint64_t>, kDatagramVerdicts> counts_{};
    std::atomic<std::uint64_t> receive_errors_ = 0;
    int epoll_ = -1;
    int stop_event_ = -1;
    NamedThread thread_;
};

}  // namespace css::netbeat
