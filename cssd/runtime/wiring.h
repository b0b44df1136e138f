#pragma once

#include <functional>

#include "cssd/client/lease_page_writer.h"
#include "cssd/runtime/effects.h"
#include "kill_block/link/guardian_link.h"

namespace css::runtime {

class FenceCommands;
class Groups;
class LastActs;
class Network;
class Polling;
class Teller;
class VotingFiles;

/// Leads each effect of the core to the part that carries it out. The parts are made one after the
/// other and outlive the last step; all are set before the first core is made.
class Wiring final : public Effects {
public:
    client::LeasePageWriter* page = nullptr;
    guardian::GuardianLink* guardians = nullptr;
    VotingFiles* files = nullptr;
    Network* network = nullptr;
    LastActs* last_acts = nullptr;
    Teller* teller = nullptr;
    Groups* groups = nullptr;
    Polling* polling = nullptr;
    FenceCommands* fence_commands = nullptr;
    /// Told the reboottime of an instance's first lease. Must not block.
    std::function<void(Duration)> on_first_lease;

    void tell_lease(const core::LeaseUpdate& lease) override;
    void order_cycle(core::CycleOrder order) override;
    void send(const netbeat::Heartbeat& heartbeat) override;
    void fence(Instance victim) override;
    void drain(Instance self) override;
    void fence_self(const core::FenceSelf& order, Instance self) override;
    void complete(const Record& record, Instance self) override;
    void notice(const core::Notice& notice) override;
    void end(const core::Exit& exit) override;
    void wake_at(Instant at) override;
};

}  // namespace css::runtime
