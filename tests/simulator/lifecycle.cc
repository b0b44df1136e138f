#include "tests/simulator/lifecycle.h"

#include <algorithm>

#include "tests/simulator/audit.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/fencing.h"
#include "tests/simulator/file_sets.h"
#include "tests/simulator/network.h"
#include "tests/simulator/runtime.h"

namespace css::sim {
namespace {

constexpr SimTime kPoll = 50'000'000;
constexpr std::int64_t kWallStart = 1'790'000'000;

}  // namespace

void Lifecycle::create_machines() {
    world_.machines.resize(world_.nodes() + 1);
    for (unsigned i = 0; i <= world_.nodes(); ++i) {
        Machine& machine = world_.machines[i];
        machine.index = i;
        const bool node = i < world_.nodes();
        machine.number = world_.options.numbers[node ? i : 0];
        machine.host = HostId{1000 + i};
        machine.weight = node ? world_.options.weights[i] : 1;
        machine.ppm = world_.prng_host.edgy(-DriftingClock::kPpmMax, DriftingClock::kPpmMax);
    }
}

void Lifecycle::boot_at(Machine& machine, SimTime time) {
    world_.at(time, EventKind::kBoot, machine.index, machine.life);
}

void Lifecycle::on_boot(Machine& machine, const Event& event) {
    if (machine.on) {
        return;
    }
    if (world_.disks->busy(machine)) {
        // What a reset host had in flight lands, or is lost, before the host is up again.
        Event later = event;
        later.time = world_.now + kPoll;
        world_.queue.push(later);
        return;
    }
    machine.on = true;
    machine.boot = BootId{++boots_};
    machine.clock =
        DriftingClock{world_.prng_host.range(0, 100'000'000'000), world_.now, machine.ppm};
    machine.frozen_until = 0;
    world_.trace.line(
        world_.now, static_cast<int>(machine.index), "BOOT", "node %u", machine.number.value());
    start_daemon_at(machine, world_.now + world_.prng_host.log_range(1'000'000, 500'000'000));
}

void Lifecycle::start_daemon_at(Machine& machine, SimTime time) {
    world_.at(time, EventKind::kStartDaemon, machine.index, machine.life);
}

void Lifecycle::on_start_daemon(Machine& machine) {
    const bool former_gone = !machine.clients.acting;
    if (machine.daemon.arbiter != nullptr) {
        if (machine.daemon.former_gone || !former_gone) {
            if (!machine.daemon.former_gone) {
                start_daemon_at(machine, world_.now + kPoll);
            }
            return;
        }
        // It was started too early, and waits: now its shell knows that the former one is gone.
        forget_daemon(machine);
    }
    if (!former_gone && world_.prng_host.coin()) {
        start_daemon_at(machine, world_.now + kPoll);
        return;
    }
    const std::optional<core::HeaderOrder> header = world_.file_sets->found_by(machine);
    if (!header) {
        start_daemon_at(machine, world_.now + kPoll);
        return;
    }
    create_daemon(machine, former_gone, *header);
    if (!former_gone) {
        start_daemon_at(machine, world_.now + kPoll);
    }
}

void Lifecycle::create_daemon(Machine& machine, bool former_gone, const core::HeaderOrder& header) {
    core::ArbiterOptions options;
    options.self = machine.number;
    for (const NodeNumber n : world_.options.numbers) {
        options.configured.insert(n);
    }
    options.slots_used = world_.options.numbers.back().value();
    options.slots_max = world_.options.slots_max;
    options.genesis = genesis_of(header, world_.options);
    options.host = machine.host;
    options.boot = machine.boot;
    options.wall_seconds = static_cast<std::uint32_t>(kWallStart + world_.now / 1'000'000'000 +
                                                      machine.wall_jump_seconds);
    options.weight = machine.weight;
    options.standby = machine.daemon.standby;
    options.former_gone = former_gone;
    options.random_seed = world_.prng_host.next();

    Daemon& daemon = machine.daemon;
    const std::uint32_t life = daemon.life + 1;
    const bool standby = daemon.standby;
    daemon = Daemon{};
    daemon.life = life;
    daemon.standby = standby;
    daemon.former_gone = former_gone;
    daemon.started_at = world_.now;
    daemon.arbiter = std::make_unique<core::Arbiter>(machine.clock.local(world_.now), options);
    world_.network->daemon_started(machine.index);
    world_.trace.line(world_.now,
                      static_cast<int>(machine.index),
                      "DAEMON",
                      "starts%s",
                      former_gone ? "" : ", former life not known to be gone");
    for (const FileIndex f : header.in_use) {
        world_.at(world_.now + world_.prng_host.log_range(100'000, 50'000'000),
                  EventKind::kFileOpen,
                  machine.index,
                  life,
                  0,
                  f);
    }
    world_.runtime->step(machine, core::Tick{});
}

// ---------------------------------------------------------------------------------- deaths

void Lifecycle::forget_daemon(Machine& machine) {
    if (world_.audit != nullptr) {
        world_.audit->daemon_ended(machine);
    }
    machine.daemon.arbiter.reset();
    machine.daemon.interrupted = false;
    machine.daemon.paused_until = 0;
    ++machine.daemon.life;
    world_.disks->daemon_died(machine);
    original_in_trouble(machine);
}

void Lifecycle::original_in_trouble(const Machine& machine) {
    const Machine& guest = world_.machines.back();
    if (machine.role == Role::kNode && guest.on && guest.role == Role::kClone &&
        guest.number == machine.number) {
        stop_guest();
    }
}

void Lifecycle::daemon_exits(Machine& machine, const core::Exit& exit) {
    ++world_.counters.exits[static_cast<std::size_t>(exit.kind)];
    world_.trace.line(world_.now,
                      static_cast<int>(machine.index),
                      "EXIT",
                      "%s %s",
                      exit.kind == core::Exit::Kind::kLeft     ? "left"
                      : exit.kind == core::Exit::Kind::kFenced ? "fenced"
                                                               : "again",
                      name_of(exit.reason));
    if (machine.clients.acting && machine.daemon.former_gone) {
        throw Violation{Verdict::kSafety, "Exit", "the daemon ended orderly while clients act"};
    }
    const bool own_guardian = !machine.clients.acting;
    forget_daemon(machine);
    if (own_guardian) {
        machine.guardian.armed = false;
        machine.guardian.daemon_life = machine.daemon.life;
    }
    if (!machine.keep_running) {
        return;
    }
    if (exit.kind == core::Exit::Kind::kLeft) {
        const SimTime misscount = world_.options.initial().misscount.count() * 1'000'000;
        start_daemon_at(machine,
                        world_.now + world_.prng_host.log_range(10'000'000, 3 * misscount));
        return;
    }
    start_daemon_at(machine, world_.now + world_.prng_host.log_range(1'000'000, 1'000'000'000));
}

void Lifecycle::daemon_killed(Machine& machine) {
    if (machine.daemon.arbiter == nullptr) {
        return;
    }
    world_.trace.line(world_.now, static_cast<int>(machine.index), "DAEMON", "killed");
    forget_daemon(machine);
    world_.fencing->daemon_died(machine);
    start_daemon_at(machine, world_.now + world_.prng_host.log_range(1'000'000, 2'000'000'000));
}

void Lifecycle::host_dies(Machine& machine) {
    if (!machine.on) {
        return;
    }
    world_.trace.line(world_.now, static_cast<int>(machine.index), "HOST", "dies");
    forget_daemon(machine);
    world_.disks->host_crashed(machine);
    machine.on = false;
    ++machine.life;
    machine.frozen_until = 0;
    machine.guardian = Guardian{};
    machine.clients = Clients{};
    if (machine.role != Role::kNode || !machine.keep_running) {
        return;
    }
    const SimTime misscount = world_.options.initial().misscount.count() * 1'000'000;
    const SimTime shortest = std::max<SimTime>(world_.options.stop_max, 100'000'000);
    boot_at(machine, world_.now + world_.prng_host.log_range(shortest, shortest + 2 * misscount));
}

void Lifecycle::freeze(Machine& machine, SimTime until) {
    if (!machine.on || until <= machine.frozen_until) {
        return;
    }
    machine.frozen_until = until;
    machine.excused_at = until;
    // Pushed before anything that is put off to this time: the guardian looks first.
    world_.at(until, EventKind::kThaw, machine.index, machine.life);
}

// ----------------------------------------------------------------------------------- guests

void Lifecycle::start_guest(Role role, const Machine& original) {
    Machine& guest = world_.machines.back();
    CSS_CHECK(!guest.on);
    guest.role = role;
    foreign_started_ = foreign_started_ || role == Role::kForeign;
    guest.number = original.number;
    guest.host = role == Role::kClone ? original.host : HostId{2000 + boots_};
    guest.weight = original.weight;
    guest.wall_jump_seconds = original.wall_jump_seconds;
    boot_at(guest, world_.now);
}

void Lifecycle::stop_guest() {
    host_dies(world_.machines.back());
}

}  // namespace css::sim
