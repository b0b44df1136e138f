#include "kill_block/guardian/keeper.h"

#include <algorithm>

#include "cssd/base/check.h"

namespace css::guardian {

void Keeper::take_daemon(Duration last_words) {
    CSS_CHECK(!daemon_alive_);
    daemon_alive_ = true;
    last_words_ = last_words;
    kill_daemon_at_ = kForever;
    begin_instance(Instance{});
}

void Keeper::begin_instance(Instance instance) {
    instance_ = instance;
    serial_ = 0;
    end_ = kForever;
    armed_ = false;
    released_ = false;
    final_ = false;
    passed_ = false;
    fence_ = FenceReason::kNone;
    draining_ = false;
    kill_clients_at_ = kForever;
    kill_daemon_at_ = kForever;
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

void Keeper::begin_fence(Instant now, FenceReason reason) {
    if (fencing()) {
        return;  // The first reason is the true one.
    }
    fence_ = reason;
    final_ = true;
    kill_clients_at_ = now;
    gasp_due_ = true;
    gasp_ = LastGasp{.reason = reason,
                     .instance = instance_,
                     .armed = armed_,
                     .end = end_,
                     .begun = now,
                     .finished = now};
}

bool Keeper::same(Instance instance) const {
    return instance_.node.is_some() && instance == instance_;
}

Refusal Keeper::take_lease(const LeaseOrder& order, std::size_t clients) {
    if (!order.instance.node.is_some() || (!order.released && order.end >= kForever)) {
        return Refusal::kMalformed;  // An end that never comes guards nothing.
    }
    if (!same(order.instance)) {
        if (order.instance.node == instance_.node && order.instance.unique < instance_.unique) {
            return Refusal::kOldInstance;
        }
        if (guarding() && clients > 0) {
            return Refusal::kClientsLeft;
        }
        begin_instance(order.instance);
    }
    return take_same(order, clients);
}

Refusal Keeper::take_same(const LeaseOrder& order, std::size_t clients) {
    if (order.serial <= serial_) {
        return Refusal::kOldSerial;
    }
    if (order.released) {
        if (guarding() && clients > 0) {
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
    // is later. It holds nothing that another node waits for; the clients did.
    kill_daemon_at_ = std::max(order.instant(), now + last_words_);
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

void Keeper::lapse(Instant now) {
    passed_ = true;
    if (daemon_alive_ && kill_daemon_at_ == kForever) {
        kill_daemon_at_ = now + last_words_;
    }
}

Duties Keeper::duties(Instant now) {
    if (!passed_ && !released_ && end_ != kForever && now >= end_) {
        if (guarding()) {
            begin_fence(now, FenceReason::kEndPassed);
        } else {
            gasp_due_ = true;
            gasp_ = LastGasp{.reason = FenceReason::kEndPassed,
                             .instance = instance_,
                             .end = end_,
                             .begun = now,
                             .finished = now};
        }
        lapse(now);
    }
    Duties duties;
    duties.revoke_page = fencing() || !daemon_alive_;
    duties.kill_clients = now >= kill_clients_at_;
    duties.kill_daemon = now >= kill_daemon_at_;
    for (const Instant at :
         {passed_ || released_ ? kForever : end_, kill_clients_at_, kill_daemon_at_}) {
        if (at > now) {
            duties.wake_at = std::min(duties.wake_at, at);
        }
    }
    return duties;
}

bool Keeper::may_take_client() const {
    return daemon_alive_ && !ending() && !passed_ && !released_;
}

bool Keeper::may_take_daemon(std::size_t clients) const {
    return !daemon_alive_ && (!guarding() || clients == 0);
}

bool Keeper::may_shut_down(std::size_t clients) const {
    return !guarding() || (fencing() && clients == 0);
}

std::optional<LastGasp> Keeper::take_last_gasp(Instant now, std::size_t clients) {
    const bool over = fencing() ? clients == 0 : !daemon_alive_;
    if (!gasp_due_ || !over) {
        return std::nullopt;
    }
    gasp_due_ = false;
    gasp_.finished = now;
    return gasp_;
}

}  // namespace css::guardian
