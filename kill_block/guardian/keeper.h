#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "kill_block/guardian/message.h"
#include "kill_block/guardian/orders.h"

namespace css::guardian {

enum class FenceReason : std::uint8_t {
    kNone,
    kEndPassed,    ///< The lease end passed: the rule.
    kDaemonDied,   ///< The daemon died while armed: the shortcut.
    kOrdered,      ///< The daemon asked for it.
    kDrainFailed,  ///< Clean leave: the drain hook failed or was late.
    kFormer,       ///< Clients of a former daemon, whose guardians are gone too.
};

/// A state of one instance's lease, as the daemon tells it.
struct LeaseOrder {
    Instance instance = {};
    std::uint64_t serial = 0;
    Instant end = {};
    bool armed = false;
    bool released = false;
    bool final = false;
    Duration reboottime{};  ///< Within this after the end everything has stopped. Zero: unknown.
};

/// What the administrator wants done.
struct Policy {
    Action action = Action::kExit;
    bool drain_hook = false;
};

/// How far an external program is.
enum class Errand : std::uint8_t { kIdle, kRunning, kDone, kFailed };

/// What the world looks like, for each decision.
struct Situation {
    std::size_t clients = 0;  ///< Registered and not yet seen gone.
    Errand command = Errand::kIdle;
    Errand drain = Errand::kIdle;
    bool gasp_written = false;  ///< The last line handed out is on its file, or cannot be written.
};

/// Silence of the daemon, in percent of the time that its lease had left when it last spoke.
struct Silence {
    unsigned percent = 0;  ///< 50, 75 or 90.
    Duration remaining{};  ///< Until the end.
};

/// What holds now. Level, not edge: it says what must be the case until it is.
struct Duties {
    bool revoke_page = false;
    bool stop_clients = false;  ///< Halt them: they are about to be killed, or the host reset.
    bool kill_clients = false;
    bool kill_daemon = false;
    bool run_command = false;
    bool run_drain = false;
    bool reset = false;
    bool feed_watchdog = false;
    std::optional<Farewell> say;
    std::optional<Silence> warn;  ///< Edge: once for each percentage.
    Instant wake_at = kForever;   ///< Ask again then, if nothing happened before.
};

/// What is written down after a fence, before a reset, or after a daemon was killed.
struct LastGasp {
    FenceReason reason = FenceReason::kNone;
    Action action = Action::kExit;
    bool reset = false;  ///< This host is about to be reset.
    Instance instance;
    bool armed = false;
    Instant end;                   ///< The lease end held then.
    Duration reboottime{};         ///< As told last.
    Instant heard;                 ///< When the daemon was last heard.
    Instant begun;                 ///< When the fence began, or the unarmed end passed.
    Instant finished;              ///< When the last client had gone, or the reset begins.
    std::uint8_t stop_reason = 0;  ///< core::StopReason of an ordered fence.
    NodeNumber by = {};
};

/// The watchdog fires at most so long after the last feed: whole seconds, such that with guardian
/// period and reset it stays within 9/10 of reboottime (PROTOCOL 2). Zero: reboottime is too short.
inline constexpr Duration kFeedPeriod = std::chrono::milliseconds{250};
inline constexpr Duration kResetTime = std::chrono::milliseconds{200};
constexpr std::chrono::seconds watchdog_timeout(Duration reboottime) {
    const Duration most = reboottime / 10 * 9 - kFeedPeriod - kResetTime;
    return most < std::chrono::seconds{1} ? std::chrono::seconds{0}
                                          : std::chrono::floor<std::chrono::seconds>(most);
}

/// The decisions of a guardian (PROTOCOL 8), without clock, socket or process.
///
/// Invariants:
/// - An end once passed, or cut by a final one, is never replaced by a later one for that instance.
/// - Armed stays armed until released; released is accepted only while no client is left.
/// - Another instance is taken only when the one held was never armed or is released, or no client
///   is left.
/// - While a fence or a drain runs no client is taken.
/// - A client is left until it is gone *and* the drain hook has succeeded.
/// - Whatever does not end in time ends by a reset, which the action `exit` alone forgoes.
class Keeper {
public:
    void set_policy(const Policy& policy) { policy_ = policy; }
    /// A daemon became the one served. Only when may_take_daemon().
    void take_daemon(Duration last_words);
    /// No thread of the daemon runs any more.
    void daemon_died(Instant now);
    /// Clients of a former daemon were found alive. Only while no daemon is served.
    void take_former(Instant now);

    /// Take everything that is queued before asking for duties(): it was said while the daemon's
    /// own lease was good (it never renews a lapsed one), so a guardian that was paused past its
    /// end must not fence over it. An end once seen passed by duties() stays passed.
    Refusal take_lease(Instant now, const LeaseOrder& order, const Situation& s);
    Refusal order_fence(Instant now, const Message& order);
    Refusal order_drain(const Message& order);
    /// The daemon wants this host reset, whatever it held (exit_action).
    void order_reset(Instant now);
    /// The reset was tried, and this host still runs.
    void note_reset_failed() { reset_failed_ = true; }

    Duties duties(Instant now, const Situation& s);

    [[nodiscard]] bool daemon_alive() const { return daemon_alive_; }
    [[nodiscard]] bool fencing() const { return fence_ != FenceReason::kNone; }
    /// Draining or fencing: the daemon wants to hear how many are left.
    [[nodiscard]] bool ending() const { return fencing() || draining_; }
    [[nodiscard]] bool armed() const { return armed_; }
    [[nodiscard]] Instance instance() const { return instance_; }
    [[nodiscard]] Duration reboottime() const { return reboottime_; }
    /// Clients left; a hook or command that has not succeeded counts as one.
    [[nodiscard]] std::size_t left(const Situation& s) const;
    [[nodiscard]] bool may_take_client() const;
    [[nodiscard]] bool may_take_daemon(const Situation& s) const;
    [[nodiscard]] bool may_shut_down(const Situation& s) const;
    [[nodiscard]] bool guarding() const { return armed_ && !released_; }
    /// Once per fence, when no client is left or before the reset; once per daemon killed unarmed.
    std::optional<LastGasp> take_last_gasp(Instant now, const Situation& s);

private:
    [[nodiscard]] bool same(Instance instance) const;
    Refusal take_same(const LeaseOrder& order, const Situation& s);
    void begin_instance(Instance instance);
    void begin_fence(Instant now, FenceReason reason);
    void lapse(Instant now);
    void look_at_end(Instant now);
    void look_at_programs(Instant now, const Situation& s);
    void resort_to_reset(Instant now);
    void plan_fence(Instant now, const Situation& s, Duties& duties) const;
    void plan_reset(Instant now, const Situation& s, Duties& duties) const;
    void listen(Instant now, Duties& duties);
    [[nodiscard]] bool gone(const Situation& s) const { return left(s) == 0; }
    [[nodiscard]] bool drain_wanted() const;
    [[nodiscard]] bool may_feed(Instant now, const Situation& s) const;
    [[nodiscard]] Duration gasp_patience() const;
    [[nodiscard]] Instant command_limit() const;

    Policy policy_;
    Instance instance_;  ///< Of no node: none held yet.
    std::uint64_t serial_ = 0;
    Instant end_ = kForever;
    Duration reboottime_{};
    bool armed_ = false;
    bool released_ = false;
    bool final_ = false;
    bool passed_ = false;  ///< The end was seen passed, armed or not.

    FenceReason fence_ = FenceReason::kNone;
    Instant begun_ = kForever;  ///< Of the fence.
    Instant limit_ = kForever;  ///< What has not ended by then is reset.
    Instant reset_at_ = kForever;
    bool reset_failed_ = false;

    bool draining_ = false;
    Instant hook_limit_ = kForever;  ///< Of the hook at a clean leave.
    Instant kill_clients_at_ = kForever;
    bool daemon_alive_ = false;
    Duration last_words_{};
    Instant kill_daemon_at_ = kForever;

    Instant heard_at_ = kForever;  ///< The newest lease message.
    Duration span_{};              ///< From the message that last moved the end to that end.
    unsigned warned_ = 0;

    bool gasp_due_ = false;
    LastGasp gasp_;
};

}  // namespace css::guardian
