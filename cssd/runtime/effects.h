#pragma once

#include "cssd/core/io.h"

namespace css::runtime {

/// Where the effects of the core's steps go. Called under the core's lock, so in the order of the
/// steps and, within one step, in the order of core::Output. Nothing here may block, log, or call
/// the core: each hands its argument to a mailbox, a page in memory or a timer.
class Effects {
public:
    Effects() = default;
    virtual ~Effects() = default;
    Effects(const Effects&) = delete;
    Effects& operator=(const Effects&) = delete;
    Effects(Effects&&) = delete;
    Effects& operator=(Effects&&) = delete;

    /// The clients' page first, then both guardians.
    virtual void tell_lease(const core::LeaseUpdate& lease) = 0;
    virtual void order_cycle(core::CycleOrder order) = 0;
    virtual void send(const netbeat::Heartbeat& heartbeat) = 0;
    virtual void fence(Instance victim) = 0;
    virtual void drain(Instance self) = 0;
    virtual void fence_self(const core::FenceSelf& order, Instance self) = 0;
    /// Just before the notice kComplete, after those before it; `self` need not be a member.
    virtual void complete(const Record& record, Instance self) = 0;
    virtual void notice(const core::Notice& notice) = 0;
    /// The last effect of an instance.
    virtual void end(const core::Exit& exit) = 0;
    virtual void wake_at(Instant at) = 0;
};

}  // namespace css::runtime
