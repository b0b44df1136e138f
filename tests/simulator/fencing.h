#pragma once

#include <vector>

#include "tests/simulator/world.h"

namespace css::sim {

/// Guardians, clients' page, and the ways in which a host or its clients come to an end
/// (PROTOCOL 8).
class Fencing {
public:
    explicit Fencing(World& world) : world_(world) {}

    /// A lease is on its way to guardians and page.
    void tell(Machine& machine, const core::LeaseUpdate& lease);
    void on_lease(Machine& machine, const Event& event);
    void on_guardian_timer(Machine& machine);
    /// The guardians look at their clock before anything else runs on a host that wakes.
    void on_thaw(Machine& machine);
    /// The guardians see the death of cssd: a shortcut, sometimes missing.
    void daemon_died(Machine& machine);

    void fence_self(Machine& machine, const core::FenceSelf& order);
    void drain(Machine& machine);
    void on_clients_die(Machine& machine);
    void on_drained(Machine& machine);
    void run_fence_command(Machine& machine, Instance victim);
    void on_fence_result(Machine& machine, const Event& event);

private:
    struct Told {
        core::LeaseUpdate lease;
        std::uint32_t daemon_life = 0;
    };

    void take_in(Machine& machine, const Told& told);
    void update_page(Machine& machine, const core::LeaseUpdate& lease);
    void acknowledge(Machine& machine, const core::LeaseUpdate& lease);
    void set_timer(Machine& machine);
    /// The stop of this host, or of its clients and daemon, begins; it takes up to stop_max.
    void fence(Machine& machine, const char* why);
    static void close_page(Machine& machine, Instance instance);
    unsigned store(const Told& told);

    World& world_;
    std::vector<Told> told_;
    std::vector<unsigned> free_;
    std::vector<Instance> victims_;
};

}  // namespace css::sim
