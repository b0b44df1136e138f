#include "tests/simulator/simulation.h"

#include "tests/simulator/timeline.h"

namespace css::sim {
namespace {

/// A socket buffer: what arrives at a stopped daemon beyond this is lost.
constexpr unsigned kHeldBackMax = 256;

}  // namespace

Simulation::Simulation(const Options& options, Counters& counters)
    : world(options, counters),
      network(world),
      disks(world),
      fencing(world),
      runtime(world),
      lifecycle(world),
      file_sets(world, disks),
      checkers(world, file_sets.first()),
      planner(world),
      ambusher(world, planner),
      audit(world) {
    world.ambusher = &ambusher;
    world.audit = options.audit ? &audit : nullptr;
    world.network = &network;
    world.disks = &disks;
    world.fencing = &fencing;
    world.runtime = &runtime;
    world.lifecycle = &lifecycle;
    world.checkers = &checkers;
    world.file_sets = &file_sets;
    lifecycle.create_machines();
}

void Simulation::start(SimTime spread) {
    for (unsigned i = 0; i < world.nodes(); ++i) {
        lifecycle.boot_at(world.machines[i], world.prng_host.range(0, spread));
    }
}

void Simulation::run_until(SimTime time) {
    world.counters.simulated_ns += static_cast<std::uint64_t>(time - world.now);
    while (!world.queue.empty() && world.queue.top().time <= time) {
        const Event event = world.queue.pop();
        world.now = event.time;
        ++world.counters.events;
        dispatch(event);
        if (world.timeline != nullptr) {
            world.timeline->sample();
        }
    }
    world.now = time;
}

void Simulation::dispatch(Event event) {
    Machine& machine = world.machines[event.machine];
    switch (event.kind) {
        case EventKind::kWake:
        case EventKind::kDatagram:
        case EventKind::kIoRead:
        case EventKind::kIoDone:
        case EventKind::kLeaseAck:
        case EventKind::kFileOpen:
        case EventKind::kFileClose:
        case EventKind::kClientsGone:
        case EventKind::kFenceResult:
        case EventKind::kRequest:
        case EventKind::kResume: dispatch_daemon(machine, event); return;
        case EventKind::kLease:
        case EventKind::kGuardianTimer:
        case EventKind::kClientsDie:
        case EventKind::kDrained:
        case EventKind::kThaw:
        case EventKind::kStartDaemon:
        case EventKind::kHostDies:
        case EventKind::kBoot:
            if (event.life == machine.life) {
                dispatch_host(machine, event);
            }
            return;
        case EventKind::kIoLand:
        case EventKind::kIoLandBallot:
        case EventKind::kWriterDies:
        case EventKind::kFault:
        case EventKind::kAmbush:
        case EventKind::kFaultTick:
        case EventKind::kPhase: dispatch_world(event); return;
    }
}

void Simulation::dispatch_world(const Event& event) {
    if (event.kind == EventKind::kIoLand) {
        disks.on_land(event);
    } else if (event.kind == EventKind::kIoLandBallot) {
        disks.on_land_ballot(event);
    } else if (event.kind == EventKind::kWriterDies) {
        planner.on_writer_dies(event);
    } else if (event.kind == EventKind::kFault) {
        planner.on_fault(event);
    } else if (event.kind == EventKind::kAmbush) {
        ambusher.on_event(event);
    } else if (event.kind == EventKind::kFaultTick) {
        planner.on_tick(event);
    }
}

void Simulation::dispatch_host(Machine& machine, const Event& event) {
    const bool outside = event.kind == EventKind::kBoot || event.kind == EventKind::kHostDies ||
                         event.kind == EventKind::kThaw;
    if (!outside && machine.frozen(world.now)) {
        Event later = event;
        later.time = machine.frozen_until;
        world.queue.push(later);
        return;
    }
    if (event.kind == EventKind::kLease) {
        fencing.on_lease(machine, event);
    } else if (event.kind == EventKind::kGuardianTimer) {
        fencing.on_guardian_timer(machine);
    } else if (event.kind == EventKind::kClientsDie) {
        fencing.on_clients_die(machine);
    } else if (event.kind == EventKind::kDrained) {
        if (event.argument == machine.daemon.life) {
            fencing.on_drained(machine);
        }
    } else if (event.kind == EventKind::kThaw) {
        fencing.on_thaw(machine);
    } else if (event.kind == EventKind::kStartDaemon) {
        lifecycle.on_start_daemon(machine);
    } else if (event.kind == EventKind::kHostDies) {
        lifecycle.host_dies(machine);
    } else if (event.kind == EventKind::kBoot) {
        lifecycle.on_boot(machine, event);
    }
}

bool Simulation::held_back(Machine& machine, const Event& event) {
    const bool disk = event.kind == EventKind::kIoRead || event.kind == EventKind::kIoDone;
    if (!disk && event.kind != EventKind::kDatagram && event.life != machine.daemon.life) {
        return true;
    }
    if (event.kind == EventKind::kDatagram &&
        (event.life != machine.life || machine.daemon.arbiter == nullptr)) {
        network.drop(event);
        return true;
    }
    if (disk && event.life != machine.daemon.life) {
        return false;  // The request ends, whoever asked for it.
    }
    const bool stopped = machine.daemon.interrupted || machine.daemon.paused_until > world.now;
    SimTime until = machine.frozen(world.now) ? machine.frozen_until : 0;
    if (stopped && event.kind != EventKind::kIoRead && event.kind != EventKind::kResume) {
        until = std::max({until, machine.daemon.paused_until, world.now});
    }
    if (until == 0) {
        return false;
    }
    if (event.kind == EventKind::kDatagram && machine.daemon.held_back++ > kHeldBackMax) {
        network.drop(event);
        return true;
    }
    Event later = event;
    later.time = until;
    world.queue.push(later);
    return true;
}

void Simulation::dispatch_daemon(Machine& machine, const Event& event) {
    if (held_back(machine, event)) {
        return;
    }
    if (event.kind == EventKind::kWake) {
        runtime.on_wake(machine);
    } else if (event.kind == EventKind::kDatagram) {
        network.on_datagram(event);
    } else if (event.kind == EventKind::kIoRead) {
        disks.on_read(event);
    } else if (event.kind == EventKind::kIoDone) {
        disks.on_done(event);
    } else if (event.kind == EventKind::kLeaseAck) {
        runtime.step(machine, core::LeaseAcknowledged{.serial = event.argument});
    } else if (event.kind == EventKind::kFileOpen) {
        file_sets.on_file_open(machine, event);
    } else if (event.kind == EventKind::kFileClose) {
        file_sets.on_file_close(machine, event);
    } else if (event.kind == EventKind::kClientsGone) {
        runtime.step(machine, core::ClientsGone{});
    } else if (event.kind == EventKind::kFenceResult) {
        fencing.on_fence_result(machine, event);
    } else if (event.kind == EventKind::kResume) {
        runtime.on_resume(machine);
    }
}

std::uint64_t Simulation::acting() const {
    const Record& record = checkers.told();
    std::uint64_t nodes = 0;
    for (unsigned i = 0; i < world.nodes(); ++i) {
        const Machine& machine = world.machines[i];
        if (!machine.may_act(world.now)) {
            continue;
        }
        const bool current =
            machine.running() && !machine.guardian.fencing && machine.clients.may_act &&
            machine.clients.token == record.incarnation && record.lists(machine.clients.instance) &&
            machine.daemon.instance == machine.clients.instance;
        if (!current) {
            return 0;
        }
        nodes |= std::uint64_t{1} << i;
    }
    return nodes;
}

bool Simulation::all_in() const {
    const std::uint64_t all =
        world.nodes() == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << world.nodes()) - 1;
    return acting() == all;
}

}  // namespace css::sim
