#include "kill_block/guardian/keeper.h"

#include <algorithm>

#include "cssd/base/check.h"

namespace css::guardian {
namespace {

/// The hook at a clean leave has time: nothing presses but the lease, which the daemon renews.
constexpr Duration kLeaveHookPatience = std::chrono::seconds{60};
constexpr Duration kCommandPatience = std::chrono::seconds{60};  ///< While reboottime is unknown.
constexpr Duration kGaspPatience = std::chrono::milliseconds{100};
constexpr Duration kGaspPatienceEarly = std::chrono::seconds{1};

void wake(Duties& duties, Instant now, Instant at) {
    if (at > now) {
        duties.wake_at = std::min(duties.wake_at, at);
    }
}

}  // namespace

void Keeper::take_daemon(Duration last_words) {
    CSS_CHECK(!daemon_alive_);
    daemon_alive_ = true;
    last_words_ = last_words;
    begin_instance(Instance{});
}

void Keeper::begin_instance(Instance instance) {
    instance_ = instance;
    serial_ = 0;
    end_ = kForever;
    reboottime_ = Duration{};
    armed_ = false;
    released_ = false;
    final_ = false;
    passed_ = false;
    fence_ = FenceReason::kNone;
    begun_ = kForever;
    limit_ = kForever;
    reset_at_ = kForever;
    reset_failed_ = false;
    draining_ = false;
    hook_limit_ = kForever;
    kill_clients_at_ = kForever;
    kill_daemon_at_ = kForever;
    heard_at_ = kForever;
    span_ = Duration{};
    warned_ = 0;
}

void Keeper::daemon_died(Instant now) {
    CSS_CHECK(daemon_alive_);
    daemon_alive_ = false;
    kill_daemon_at_ = kForever;
    if (guarding()) {
        begin_fence(now, FenceReason::kDaemonDied);
    } else {
        end_ = kForever;  // Nothing left that the end could stop.
    }
}

void Keeper::take_former(Instant now) {
    CSS_CHECK(!daemon_alive_);
    if (!fencing()) {
        begin_instance(Instance{});
        begin_fence(now, FenceReason::kFormer);
    }
}

void Keeper::begin_fence(Instant now, FenceReason reason) {
    if (fencing()) {
        return;  // The first reason is the true one.
    }
    fence_ = reason;
    final_ = true;
    begun_ = now;
    if (reboottime_ > Duration{}) {
        // A tenth of reboottime may have gone before the end (PROTOCOL 8, 'To stop').
        limit_ = std::min(end_, now) + reboottime_ / 10 * 9 -
                 std::min<Duration>(kResetTime, reboottime_ / 10);
    }
    switch (policy_.action) {
        case Action::kExit:
        case Action::kKillClients: kill_clients_at_ = now; break;
        case Action::kReboot: resort_to_reset(now); break;
        case Action::kCommand: break;  // The command first; what it leaves is killed.
    }
    if (reason == FenceReason::kFormer) {
        kill_clients_at_ = now;  // No instance, no end: nothing is late, nothing is announced.
        reset_at_ = kForever;
    }
    gasp_due_ = true;
    gasp_ = LastGasp{.reason = reason,
                     .action = policy_.action,
                     .instance = instance_,
                     .armed = armed_,
                     .end = end_,
                     .reboottime = reboottime_,
                     .heard = heard_at_,
                     .begun = now,
                     .finished = now};
}

void Keeper::resort_to_reset(Instant now) {
    if (policy_.action != Action::kExit) {
        reset_at_ = std::min(reset_at_, now);
    }
}

bool Keeper::same(Instance instance) const {
    return instance_.node.is_some() && instance == instance_;
}

Refusal Keeper::take_lease(Instant now, const LeaseOrder& order, const Situation& s) {
    if (!order.instance.node.is_some() || (!order.released && order.end >= kForever)) {
        return Refusal::kMalformed;  // An end that never comes guards nothing.
    }
    if (!same(order.instance)) {
        if (order.instance.node == instance_.node && order.instance.unique < instance_.unique) {
            return Refusal::kOldInstance;
        }
        if (guarding() && !gone(s)) {
            return Refusal::kClientsLeft;
        }
        begin_instance(order.instance);
    }
    const Instant before = end_;
    const Refusal refusal = take_same(order, s);
    if (refusal == Refusal::kNone) {
        heard_at_ = now;
        warned_ = 0;
        span_ = end_ == before ? span_ : end_ - now;
    }
    return refusal;
}

Refusal Keeper::take_same(const LeaseOrder& order, const Situation& s) {
    if (order.serial <= serial_) {
        return Refusal::kOldSerial;
    }
    if (order.released) {
        if (guarding() && !gone(s)) {
            return Refusal::kClientsLeft;
        }
        serial_ = order.serial;
        released_ = true;
        end_ = kForever;
        kill_daemon_at_ = kForever;
        return Refusal::kNone;
    }
    if (released_) {
        return Refusal::kReleased;
    }
    if (order.end > end_ && passed_) {
        return Refusal::kPassed;
    }
    if (order.end > end_ && final_) {
        return Refusal::kCut;
    }
    serial_ = order.serial;
    end_ = order.end;
    armed_ = armed_ || order.armed;
    final_ = final_ || order.final;
    reboottime_ = order.reboottime;
    return Refusal::kNone;
}

Refusal Keeper::order_fence(Instant now, const Message& order) {
    if (!same(order.instance)) {
        return Refusal::kOldInstance;
    }
    const bool first = !fencing();
    begin_fence(now, FenceReason::kOrdered);
    if (first) {
        gasp_.stop_reason = order.reason;
        gasp_.by = order.by;
    }
    // A daemon that asks is awake: it gets its last words in any case, and its own deadline if that
    // is later. It holds nothing that another node waits for; the clients did. One that may rejoin
    // says FENCED and releases the instance meanwhile.
    const Duration rejoins = policy_.action == Action::kExit ? Duration{} : 2 * reboottime_;
    kill_daemon_at_ = std::max(order.instant(), now + last_words_ + rejoins);
    return Refusal::kNone;
}

Refusal Keeper::order_drain(const Message& order) {
    if (!same(order.instance)) {
        return Refusal::kOldInstance;
    }
    draining_ = true;
    kill_clients_at_ = std::min(kill_clients_at_, order.instant());
    return Refusal::kNone;
}

void Keeper::order_reset(Instant now) {
    begin_fence(now, FenceReason::kOrdered);
    reset_at_ = std::min(reset_at_, now);
    reset_failed_ = false;
}

void Keeper::lapse(Instant now) {
    passed_ = true;
    if (daemon_alive_ && kill_daemon_at_ == kForever) {
        kill_daemon_at_ = now + last_words_;
    }
}

void Keeper::look_at_end(Instant now) {
    if (passed_ || released_ || end_ == kForever || now < end_) {
        return;
    }
    if (guarding()) {
        begin_fence(now, FenceReason::kEndPassed);
    } else {
        gasp_due_ = true;
        gasp_ = LastGasp{.reason = FenceReason::kEndPassed,
                         .action = policy_.action,
                         .instance = instance_,
                         .end = end_,
                         .reboottime = reboottime_,
                         .heard = heard_at_,
                         .begun = now,
                         .finished = now};
    }
    lapse(now);
}

/// Programs that failed or are late, and everything that is late.
void Keeper::look_at_programs(Instant now, const Situation& s) {
    if (draining_ && !fencing() && drain_wanted() && s.clients == 0) {
        hook_limit_ = std::min(hook_limit_, now + kLeaveHookPatience);
        if (s.drain == Errand::kFailed || (s.drain != Errand::kDone && now >= hook_limit_)) {
            begin_fence(now, FenceReason::kDrainFailed);
        }
    }
    if (!fencing() || fence_ == FenceReason::kFormer) {
        return;
    }
    if (policy_.action == Action::kCommand) {
        const bool failed =
            s.command == Errand::kFailed || (s.command != Errand::kDone && now >= command_limit());
        if (failed) {
            resort_to_reset(now);
        }
        if (failed || s.command == Errand::kDone) {
            kill_clients_at_ = std::min(kill_clients_at_, now);
        }
    }
    if (drain_wanted() && s.drain == Errand::kFailed) {
        resort_to_reset(now);
    }
    if (!gone(s) && now >= limit_ - gasp_patience()) {
        resort_to_reset(now);
    }
    if (reset_failed_) {
        kill_clients_at_ = std::min(kill_clients_at_, now);
    }
}

bool Keeper::drain_wanted() const {
    return policy_.drain_hook && ending() && (armed_ || fence_ == FenceReason::kFormer);
}

std::size_t Keeper::left(const Situation& s) const {
    if (s.clients > 0) {
        return s.clients;
    }
    const bool command = fencing() && fence_ != FenceReason::kFormer &&
                         policy_.action == Action::kCommand && s.command != Errand::kDone;
    return command || (drain_wanted() && s.drain != Errand::kDone) ? 1 : 0;
}

Duration Keeper::gasp_patience() const {
    return reboottime_ > Duration{} ? std::min(kGaspPatience, reboottime_ / 20) : kGaspPatience;
}

Instant Keeper::command_limit() const {
    return limit_ == kForever ? begun_ + kCommandPatience : begun_ + (limit_ - begun_) / 2;
}

bool Keeper::may_feed(Instant now, const Situation& s) const {
    if (reset_at_ != kForever) {
        return false;
    }
    return fencing() ? gone(s) : !guarding() || (!passed_ && now < end_);
}

Duties Keeper::duties(Instant now, const Situation& s) {
    look_at_end(now);
    look_at_programs(now, s);
    Duties duties;
    duties.revoke_page = (fencing() && !released_) || !daemon_alive_;
    duties.kill_clients = now >= kill_clients_at_;
    duties.kill_daemon = now >= kill_daemon_at_;
    duties.run_drain = drain_wanted() && s.clients == 0 && reset_at_ == kForever;
    duties.feed_watchdog = may_feed(now, s);
    if (fencing()) {
        plan_fence(now, s, duties);
        plan_reset(now, s, duties);
    } else {
        wake(duties, now, hook_limit_);
    }
    listen(now, duties);
    wake(duties, now, passed_ || released_ ? kForever : end_);
    wake(duties, now, kill_clients_at_);
    wake(duties, now, kill_daemon_at_);
    return duties;
}

void Keeper::plan_fence(Instant now, const Situation& s, Duties& duties) const {
    const bool former = fence_ == FenceReason::kFormer;
    const bool commands = policy_.action == Action::kCommand && !former;
    duties.run_command = commands && reset_at_ == kForever;
    duties.run_drain = duties.run_drain && (!commands || s.command == Errand::kDone);
    duties.stop_clients = !commands || now >= kill_clients_at_;
    if (gone(s)) {
        if (!daemon_alive_ && guarding()) {
            duties.say = Farewell::kFenced;
        }
        return;
    }
    wake(duties, now, limit_ == kForever ? kForever : limit_ - gasp_patience());
    if (commands && s.command != Errand::kDone) {
        wake(duties, now, command_limit());
    }
    // The daemon says so itself when it ordered the stop. `exit` promises no reset, so a stop that
    // hangs must not be taken for one that is sure to come.
    const bool own_word = fence_ == FenceReason::kOrdered && reset_at_ == kForever;
    if (guarding() && policy_.action != Action::kExit && !own_word) {
        duties.say = Farewell::kResetting;
    }
}

void Keeper::plan_reset(Instant now, const Situation& s, Duties& duties) const {
    if (reset_at_ == kForever || reset_failed_) {
        return;
    }
    // A reset that comes first has time for a slow disk to take the last gasp; one that comes last
    // has little. Clients stand still meanwhile.
    const Instant early = std::min(reset_at_ + kGaspPatienceEarly, begun_ + reboottime_ / 4);
    const Instant go = std::max(early, reset_at_ + gasp_patience());
    duties.reset = s.gasp_written || now >= go;
    wake(duties, now, go);
}

/// The local heartbeat: a daemon that is silent is told about before its lease ends.
void Keeper::listen(Instant now, Duties& duties) {
    if (!daemon_alive_ || ending() || !guarding() || passed_ || heard_at_ == kForever ||
        span_ <= Duration{}) {
        return;
    }
    unsigned percent = 0;
    for (const unsigned p : {50U, 75U, 90U}) {
        const Instant at = heard_at_ + span_ / 100 * p;
        if (now < at) {
            wake(duties, now, at);
            break;
        }
        percent = p;
    }
    if (percent > warned_) {
        warned_ = percent;
        duties.warn = Silence{percent, end_ - now};
    }
}

bool Keeper::may_take_client() const {
    return daemon_alive_ && !ending() && !passed_ && !released_;
}

bool Keeper::may_take_daemon(const Situation& s) const {
    const bool binding = guarding() || fence_ == FenceReason::kFormer;
    return !daemon_alive_ && (!binding || gone(s));
}

bool Keeper::may_shut_down(const Situation& s) const {
    return !guarding() || (fencing() && gone(s));
}

std::optional<LastGasp> Keeper::take_last_gasp(Instant now, const Situation& s) {
    const bool resets = now >= reset_at_ && !reset_failed_;
    const bool over = fencing() ? gone(s) || resets : !daemon_alive_;
    if (!gasp_due_ || !over) {
        return std::nullopt;
    }
    gasp_due_ = false;
    gasp_.reset = resets;
    gasp_.finished = now;
    return gasp_;
}

}  // namespace css::guardian
