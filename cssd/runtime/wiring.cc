#include "cssd/runtime/wiring.h"

#include <utility>

#include "cssd/runtime/fence_commands.h"
#include "cssd/runtime/groups.h"
#include "cssd/runtime/last_acts.h"
#include "cssd/runtime/network.h"
#include "cssd/runtime/polling.h"
#include "cssd/runtime/teller.h"
#include "cssd/runtime/voting_files.h"

namespace css::runtime {

void Wiring::tell_lease(const core::LeaseUpdate& lease) {
    // The page before the guardians: their acknowledgement then stands for both.
    page->publish(client::LeaseState{.instance = lease.instance,
                                     .end = lease.end,
                                     .token = lease.token,
                                     .may_act = lease.may_act && !lease.released});
    if (lease.serial == 1 && on_first_lease) {
        on_first_lease(lease.reboottime);
    }
    guardians->send(lease,
                    lease.instance,
                    lease.final ? guardian::Finality::kFinal : guardian::Finality::kRenewable);
}

void Wiring::order_cycle(core::CycleOrder order) {
    files->order(std::move(order));
}

void Wiring::send(const netbeat::Heartbeat& heartbeat) {
    network->post(heartbeat);
}

void Wiring::fence(Instance victim) {
    fence_commands->fence(victim);
}

void Wiring::drain(Instance self) {
    last_acts->drain(self);
}

void Wiring::fence_self(const core::FenceSelf& order, Instance self) {
    last_acts->fence_self(order, self);
}

void Wiring::complete(const Record& record, Instance self) {
    teller->post(record);
    groups->complete(record, self);
}

void Wiring::notice(const core::Notice& notice) {
    teller->post(notice);
    if (notice.kind == core::NoticeKind::kVotingFiles) {
        files->sets_changed();
    }
}

void Wiring::end(const core::Exit& exit) {
    groups->instance_ended();
    teller->post(exit);
}

void Wiring::wake_at(Instant at) {
    polling->wake_at(at);
}

}  // namespace css::runtime
