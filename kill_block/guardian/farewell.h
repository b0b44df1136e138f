#pragma once

#include <optional>

#include "cssd/base/time.h"
#include "kill_block/guardian/orders.h"

namespace css::guardian {

/// Sends what the daemon has sealed beforehand to all other nodes (PROTOCOL 5: heartbeats RESETTING
/// and FENCED), a few times, since datagrams get lost.
class FarewellSender {
public:
    FarewellSender() = default;
    ~FarewellSender();
    FarewellSender(const FarewellSender&) = delete;
    FarewellSender& operator=(const FarewellSender&) = delete;
    FarewellSender(FarewellSender&&) = delete;
    FarewellSender& operator=(FarewellSender&&) = delete;

    /// Says it as long as it is asked to, for this instance. Returns when to ask again.
    Instant say(std::optional<Farewell> what,
                Instance instance,
                const OrdersPage& page,
                Instant now);

private:
    void send(const FarewellSet& set, Farewell what);

    std::optional<Farewell> said_;
    int times_ = 0;
    Instant next_ = kNever;
    int ipv4_ = -1;
    int ipv6_ = -1;
};

}  // namespace css::guardian
