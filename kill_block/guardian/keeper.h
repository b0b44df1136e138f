#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "kill_block/guardian/message.h"

namespace css::guardian {

enum class FenceReason : std::uint8_t {
    kNone,
    kEndPassed,   ///< The lease end passed: the rule.
    kDaemonDied,  ///< The daemon died while armed: the shortcut.
    kOrdered,     ///< The daemon asked for it.
};

/// A state of one instance's lease, as the daemon tells it.
struct LeaseOrder {
    Instance instance = {};
    std::uint64_t serial = 0;
    Instant end = {};
    bool armed = false;
    bool released = false;
    bool final = false;
};

/// What holds now. Level, not edge: it says what must be the case until it is.
struct Duties {
    bool revoke_page = false;
    bool kill_clients = false;
    bool kill_daemon = false;
    Instant wake_at = kForever;  ///< Ask again then, if nothing happened before.
};

/// What is written down after a fence, or after a daemon was killed.
struct LastGasp {
    FenceReason reason = FenceReason::kNone;
    Instance instance;
    bool armed = false;
    Instant end;                   ///< The lease end held then.
    Instant begun;                 ///< When the fence began, or the unarmed end passed.
    Instant finished;              ///< When the last client had gone.
    std::uint8_t stop_reason = 0;  ///< core::StopReason of an ordered fence.
    NodeNumber by = {};
};

/// The decisions of a guardian (PROTOCOL 8), without clock, socket or process.
///
/// Invariants:
/// - An end once passed, or cut by a final one, is never replaced by a later one for that instance.
/// - Armed stays armed until released; released is accepted only while no client is left.
/// - Another instance is taken only when the one held was never armed or is released, or no client
///   is left.
/// - While a fence or a drain runs no client is taken.
///
/// `clients` is always the number of registered clients not yet seen gone.
class Keeper {
public:
    /// A daemon became the one served. Only when may_take_daemon().
    void take_daemon(Duration last_words);
    /// No thread of the daemon runs any more.
    void daemon_died(Instant now);

    /// Take everything that is queued before asking for duties(): it was said while the daemon's
    /// own lease was good (it never renews a lapsed one), so a guardian that was paused past its
    /// end must not fence over it. An end once seen passed by duties() stays passed.
    Refusal take_lease(const LeaseOrder& order, std::size_t clients);
    Refusal order_fence(Instant now, const Message& order);
    Refusal order_drain(const Message& order);

    Duties duties(Instant now);

    [[nodiscard]] bool daemon_alive() const { return daemon_alive_; }
    [[nodiscard]] bool fencing() const { return fence_ != FenceReason::kNone; }
    /// Draining or fencing: the daemon wants to hear how many are left.
    [[nodiscard]] bool ending() const { return fencing() || draining_; }
    [[nodiscard]] bool may_take_client() const;
    [[nodiscard]] bool may_take_daemon(std::size_t clients) const;
    [[nodiscard]] bool may_shut_down(std::size_t clients) const;
    /// Once per fence, when no client is left; once per daemon killed unarmed.
    std::optional<LastGasp> take_last_gasp(Instant now, std::size_t clients);

private:
    [[nodiscard]] bool guarding() const { return armed_ && !released_; }
    [[nodiscard]] bool same(Instance instance) const;
    Refusal take_same(const LeaseOrder& order, std::size_t clients);
    void begin_instance(Instance instance);
    void begin_fence(Instant now, FenceReason reason);
    void lapse(Instant now);

    Instance instance_;  ///< Of no node: none held yet.
    std::uint64_t serial_ = 0;
    Instant end_ = kForever;
    bool armed_ = false;
    bool released_ = false;
    bool final_ = false;
    bool passed_ = false;  ///< The end was seen passed, armed or not.
    FenceReason fence_ = FenceReason::kNone;
    bool draining_ = false;
    Instant kill_clients_at_ = kForever;
    bool daemon_alive_ = false;
    Duration last_words_{};
    Instant kill_daemon_at_ = kForever;
    bool gasp_due_ = false;
    LastGasp gasp_;
};

}  // namespace css::guardian
