#pragma once

#include "tests/simulator/world.h"

namespace css::sim {

/// Births and deaths of hosts and daemons, and the restart rule (PROTOCOL 8).
class Lifecycle {
public:
    explicit Lifecycle(World& world) : world_(world) {}

    /// Creates the configured machines and the guest's place; nothing runs yet.
    void create_machines();
    void boot_at(Machine& machine, SimTime time);
    void on_boot(Machine& machine, const Event& event);
    void start_daemon_at(Machine& machine, SimTime time);
    void on_start_daemon(Machine& machine);

    void daemon_exits(Machine& machine, const core::Exit& exit);
    void daemon_killed(Machine& machine);
    void host_dies(Machine& machine);
    void freeze(Machine& machine, SimTime until);

    /// A second host with the number (and, of a clone, the ids) of `original` comes up.
    void start_guest(Role role, const Machine& original);
    void stop_guest();
    /// A clone with the same ids cannot tell that the original has stopped from that it is gone:
    /// section 8 protects only a running original, so the clone goes at the first sign.
    void original_in_trouble(const Machine& machine);
    [[nodiscard]] bool foreign_started() const { return foreign_started_; }
    [[nodiscard]] bool guest_on() const { return world_.machines.back().on; }

private:
    void create_daemon(Machine& machine, bool former_gone, const core::HeaderOrder& header);
    void forget_daemon(Machine& machine);

    World& world_;
    std::uint64_t boots_ = 0;
    bool foreign_started_ = false;
};

}  // namespace css::sim
