#include "tests/simulator/fencing.h"

#include <algorithm>

#include "tests/simulator/checkers.h"
#include "tests/simulator/lifecycle.h"
#include "tests/simulator/runtime.h"

namespace css::sim {

// ------------------------------------------------------------------------------- the lease

void Fencing::tell(Machine& machine, const core::LeaseUpdate& lease) {
    const unsigned index = store({.lease = lease, .daemon_life = machine.daemon.life});
    const SimTime arrives = world_.now + world_.prng_host.log_range(10'000, 2'000'000);
    machine.guardian.heard_at = std::max(machine.guardian.heard_at, arrives);
    world_.at(machine.guardian.heard_at, EventKind::kLease, machine.index, machine.life, index);
}

void Fencing::on_lease(Machine& machine, const Event& event) {
    const Told told = told_[event.argument];
    free_.push_back(event.argument);
    Guardian& guardian = machine.guardian;
    if (told.daemon_life >= guardian.daemon_life && !guardian.fencing) {
        take_in(machine, told);
    }
    if (machine.daemon.life == told.daemon_life) {
        acknowledge(machine, told.lease);
    }
}

void Fencing::take_in(Machine& machine, const Told& told) {
    Guardian& guardian = machine.guardian;
    if (guardian.final && guardian.instance == told.lease.instance) {
        return;
    }
    if (machine.clients.acting && machine.clients.instance != told.lease.instance) {
        return;  // A new instance is accepted only when no client of the former one is left.
    }
    guardian.daemon_life = told.daemon_life;
    guardian.instance = told.lease.instance;
    guardian.final = told.lease.final;
    guardian.end = told.lease.end;
    guardian.armed = told.lease.armed && !told.lease.released;
    if (told.lease.released && machine.clients.acting) {
        throw Violation{Verdict::kSafety, "Released", "released while clients act"};
    }
    update_page(machine, told.lease);
    set_timer(machine);
}

void Fencing::update_page(Machine& machine, const core::LeaseUpdate& lease) {
    Clients& page = machine.clients;
    page.may_act = lease.may_act && page.closed != lease.instance;
    page.end = lease.end;
    page.token = lease.token;
    if (lease.may_act && page.acting && page.instance != lease.instance) {
        throw Violation{Verdict::kSafety, "Restart", "clients of two instances on one host"};
    }
    if (page.may_act && !page.acting) {
        if (!lease.armed) {
            throw Violation{Verdict::kSafety, "Armed first", "may act without armed guardians"};
        }
        page.instance = lease.instance;
        // Clients are let in only while the lease runs: who looks at the page sees the end.
        page.acting = machine.clock.local(world_.now) < lease.end;
        if (page.acting) {
            world_.trace.line(world_.now,
                              static_cast<int>(machine.index),
                              "ACTS",
                              "unique=%u token=%llu",
                              lease.instance.unique.value(),
                              static_cast<unsigned long long>(lease.token.value()));
            world_.checkers->on_begin_acting(machine);
        }
    }
    world_.checkers->on_token(machine, lease);
}

void Fencing::acknowledge(Machine& machine, const core::LeaseUpdate& lease) {
    const Daemon& daemon = machine.daemon;
    const bool at_once = daemon.arbiter != nullptr && !daemon.interrupted &&
                         daemon.paused_until <= world_.now && !world_.prng_host.chance(1, 8);
    if (at_once) {
        world_.runtime->step(machine, core::LeaseAcknowledged{.serial = lease.serial});
        return;
    }
    world_.at(world_.now + world_.prng_host.log_range(10'000, 10'000'000),
              EventKind::kLeaseAck,
              machine.index,
              daemon.life,
              static_cast<std::uint32_t>(lease.serial));
}

void Fencing::set_timer(Machine& machine) {
    Guardian& guardian = machine.guardian;
    if (!guardian.armed || guardian.end == kForever) {
        return;
    }
    const SimTime when = machine.clock.when(guardian.end, world_.now);
    if (guardian.timer_at != 0 && guardian.timer_at <= when) {
        return;
    }
    guardian.timer_at = std::max<SimTime>(when, 1);
    world_.at(when, EventKind::kGuardianTimer, machine.index, machine.life);
}

void Fencing::on_guardian_timer(Machine& machine) {
    Guardian& guardian = machine.guardian;
    if (world_.now < guardian.timer_at) {
        return;
    }
    guardian.timer_at = 0;
    if (!guardian.armed || guardian.fencing) {
        return;
    }
    if (machine.clock.local(world_.now) < guardian.end) {
        set_timer(machine);
        return;
    }
    fence(machine, "lease end passed");
}

void Fencing::on_thaw(Machine& machine) {
    Guardian& guardian = machine.guardian;
    if (machine.frozen_until > world_.now || !guardian.armed) {
        return;
    }
    const bool passed = machine.clock.local(world_.now) >= guardian.end;
    if (!passed && !guardian.fencing) {
        set_timer(machine);
        return;
    }
    // It finds the end passed at its first look: nothing else of this host runs again. One that
    // also finds the time for its stop used up resets, whatever the action (found with seed 30097:
    // another host had taken the number, and the daemon wrote its slot again).
    const Duration over = machine.clock.local(world_.now) - guardian.end;
    const SimTime late = guardian.fencing ? world_.now - guardian.fenced_at : over.count();
    world_.trace.line(world_.now, static_cast<int>(machine.index), "FENCE", "at wake");
    if (world_.options.fence == FenceMode::kReboot || late > world_.options.stop_max) {
        world_.lifecycle->host_dies(machine);
        return;
    }
    if (passed) {
        guardian.fencing = true;
        on_clients_die(machine);
    }
}

// ------------------------------------------------------------------------------ the stops

void Fencing::fence(Machine& machine, const char* why) {
    machine.guardian.fencing = true;
    machine.guardian.fenced_at = world_.now;
    world_.lifecycle->original_in_trouble(machine);
    ++world_.counters.host_fences;
    const SimTime delay = world_.prng_host.edgy(0, world_.options.stop_max);
    world_.trace.line(world_.now,
                      static_cast<int>(machine.index),
                      "FENCE",
                      "%s, takes effect in %.3f ms",
                      why,
                      static_cast<double>(delay) / 1e6);
    const EventKind kind =
        world_.options.fence == FenceMode::kReboot ? EventKind::kHostDies : EventKind::kClientsDie;
    world_.at(world_.now + delay, kind, machine.index, machine.life);
}

void Fencing::daemon_died(Machine& machine) {
    if (machine.guardian.armed && !machine.guardian.fencing && world_.prng_host.chance(3, 4)) {
        fence(machine, "daemon died");
    }
}

void Fencing::fence_self(Machine& machine, const core::FenceSelf& order) {
    machine.daemon.stopping = true;
    world_.checkers->on_fence_self(machine, order);
    if (machine.guardian.fencing) {
        return;
    }
    fence(machine, name_of(order.reason));
}

void Fencing::on_clients_die(Machine& machine) {
    close_page(machine, machine.guardian.instance);
    machine.guardian.armed = false;
    machine.guardian.fencing = false;
    machine.guardian.daemon_life = machine.daemon.life + 1;  // Nothing of this one counts now.
    world_.trace.line(world_.now, static_cast<int>(machine.index), "CLIENTS", "killed");
    Daemon& daemon = machine.daemon;
    if (daemon.arbiter == nullptr) {
        return;
    }
    if (daemon.stopping) {
        world_.at(world_.now + world_.prng_host.log_range(10'000, 5'000'000),
                  EventKind::kClientsGone,
                  machine.index,
                  daemon.life);
        return;
    }
    // The daemon did not ask for this: it hangs, and goes with its clients.
    world_.lifecycle->daemon_killed(machine);
}

void Fencing::close_page(Machine& machine, Instance instance) {
    machine.clients = Clients{};
    machine.clients.closed = instance;
}

void Fencing::drain(Machine& machine) {
    machine.daemon.leaving = true;
    const SimTime longest = world_.options.initial().misscount.count() * 1'000'000 / 4;
    world_.at(world_.now + world_.prng_host.log_range(10'000, longest),
              EventKind::kDrained,
              machine.index,
              machine.life,
              machine.daemon.life);
}

void Fencing::on_drained(Machine& machine) {
    close_page(machine, machine.daemon.instance);
    world_.at(world_.now, EventKind::kClientsGone, machine.index, machine.daemon.life);
}

// -------------------------------------------------------------------- E4, the fence command

void Fencing::run_fence_command(Machine& machine, Instance victim) {
    if (!world_.options.fence_command || world_.prng_host.chance(1, 4)) {
        return;
    }
    victims_.push_back(victim);
    const SimTime longest = world_.options.initial().misscount.count() * 1'000'000 / 4;
    world_.at(world_.now + world_.prng_host.log_range(1'000'000, longest),
              EventKind::kFenceResult,
              machine.index,
              machine.daemon.life,
              static_cast<std::uint32_t>(victims_.size() - 1));
}

void Fencing::on_fence_result(Machine& machine, const Event& event) {
    const Instance victim = victims_[event.argument];
    const Machine& guest = world_.machines.back();
    if (guest.on && guest.number == victim.node) {
        return;  // The command knows the node's own host only; it does not vouch for others.
    }
    for (Machine& other : world_.machines) {
        // A node that is back already is shot all the same, now and then: safe, but a nuisance,
        // and not to be had while recovery is judged.
        const bool back = other.daemon.instance.unique > victim.unique;
        if (other.number == victim.node && other.role == Role::kNode && other.on &&
            (!back || (world_.faults_on && world_.prng_host.coin()))) {
            world_.trace.line(world_.now,
                              static_cast<int>(other.index),
                              "POWER OFF",
                              "by the fence command of machine %u",
                              machine.index + 1);
            world_.lifecycle->host_dies(other);
        }
    }
    if (machine.daemon.arbiter != nullptr) {
        world_.runtime->step(machine, core::FenceConfirmed{.victim = victim});
    }
}

unsigned Fencing::store(const Told& told) {
    if (free_.empty()) {
        told_.push_back(told);
        return static_cast<unsigned>(told_.size() - 1);
    }
    const unsigned index = free_.back();
    free_.pop_back();
    told_[index] = told;
    return index;
}

}  // namespace css::sim
