#include "tests/simulator/planner.h"

#include <algorithm>

#include "tests/simulator/checkers.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/fencing.h"
#include "tests/simulator/file_sets.h"
#include "tests/simulator/lifecycle.h"
#include "tests/simulator/network.h"
#include "tests/simulator/runtime.h"

namespace css::sim {
namespace {

constexpr std::uint32_t kRestoreTries = 40;

}  // namespace

NextWrite tear_of(const FaultAction& action) {
    return action.salt % 3 == 0 ? NextWrite::kTornFatal : NextWrite::kTorn;
}

Planner::Planner(World& world)
    : world_(world), misscount_(Duration{world.options.initial().misscount}.count()) {}

// --------------------------------------------------------------------------- the schedule

void Planner::schedule() {
    std::ranges::stable_sort(world_.options.schedule, {}, &FaultAction::at);
    first_order_ = world_.queue.reserve(world_.options.schedule.size());
    push_fault(0);
}

void Planner::push_fault(unsigned which) {
    const std::vector<FaultAction>& actions = world_.options.schedule;
    if (which < actions.size()) {
        world_.queue.push_in_order({.time = std::max(actions[which].at, world_.now),
                                    .order = first_order_ + which,
                                    .kind = EventKind::kFault,
                                    .argument = which});
    }
}

bool Planner::may_touch(const Machine& machine) const {
    return machine.protected_until <= world_.now;
}

bool Planner::possible(const FaultAction& action) const {
    if (!may_touch(world_.machines[action.a]) || !may_touch(world_.machines[action.b])) {
        return false;
    }
    const bool loses = action.kind > FaultKind::kMisreadSector &&
                       action.kind <= FaultKind::kRestoreFile &&
                       !(action.kind == FaultKind::kTornWrite && world_.options.sector_size > 512);
    return !loses || insane_file(action.file) < world_.options.places();
}

unsigned Planner::insane_file(unsigned from) const {
    const unsigned files = world_.options.places();
    for (unsigned i = 0; i < files; ++i) {
        if (world_.disks->insane((from + i) % files)) {
            return (from + i) % files;
        }
    }
    return files;
}

void Planner::on_fault(const Event& event) {
    push_fault(event.argument + 1);
    perform(world_.options.schedule[event.argument]);
}

void Planner::perform(const FaultAction& action) {
    Prng prng{action.salt, 6};
    if (!possible(action)) {
        return;
    }
    ++world_.counters.faults[static_cast<std::size_t>(action.kind)];
    world_.trace.mix(static_cast<std::uint64_t>(action.kind) + 1);
    if (world_.trace.on()) {
        world_.trace.line(world_.now, -1, "FAULT", "%s", describe(action).c_str());
    }
    if (action.kind <= FaultKind::kHealLinks) {
        network_fault(action, prng);
    } else if (action.kind <= FaultKind::kMisreadSector) {
        disk_fault(action, prng);
    } else if (action.kind <= FaultKind::kRestoreFile) {
        file_fault(action, prng);
    } else if (action.kind <= FaultKind::kGuardianLost) {
        host_fault(action, prng);
    } else if (action.kind <= FaultKind::kForeignHost) {
        guest_fault(action);
    } else {
        request_fault(action, prng);
    }
}

// -------------------------------------------------------------------------------- network

void Planner::network_fault(const FaultAction& action, Prng& prng) {
    Network& network = *world_.network;
    const SimTime until = world_.now + action.duration;
    const auto each_way = [&](auto change) {
        for (unsigned i = 0; i < world_.options.interconnects; ++i) {
            change(network.link(i, action.a, action.b));
        }
    };
    if (action.kind == FaultKind::kCutPair) {
        network.cut_both(action.a, action.b, until);
    } else if (action.kind == FaultKind::kCutOneWay) {
        network.cut(action.a, action.b, until);
    } else if (action.kind == FaultKind::kPartition || action.kind == FaultKind::kIsolate) {
        partition(action, prng);
    } else if (action.kind == FaultKind::kDeafen || action.kind == FaultKind::kMute) {
        for (unsigned other = 0; other < world_.nodes(); ++other) {
            action.kind == FaultKind::kDeafen ? network.cut(other, action.a, until)
                                              : network.cut(action.a, other, until);
        }
    } else if (action.kind == FaultKind::kCutInterconnect) {
        const unsigned which = prng.index(world_.options.interconnects);
        for (unsigned from = 0; from < world_.nodes(); ++from) {
            network.link(which, from, action.b).cut_until = until;
        }
    } else if (action.kind == FaultKind::kFlap) {
        const SimTime period = prng.log_range(world_.beat().count() / 2, 3 * misscount_);
        const SimTime on = prng.range(0, period);
        each_way([&](Link& link) {
            link.flaps_until = until;
            link.flap_period = period;
            link.flap_on = on;
        });
    } else if (action.kind == FaultKind::kLoss) {
        const auto loss = static_cast<unsigned>(prng.range(50, 950));
        each_way([&](Link& link) {
            link.lossy_until = until;
            link.loss_permille = loss;
        });
    } else if (action.kind == FaultKind::kLossJustUnder) {
        const SimTime beats = prng.range(-2, 1);
        const SimTime edge = beats * world_.beat().count() + prng.range(0, 50'000'000);
        const SimTime end = std::min(world_.now + misscount_ + edge, world_.options.fault_phase);
        prng.coin() ? network.cut_both(action.a, action.b, end)
                    : network.cut(action.a, action.b, end);
    } else if (action.kind == FaultKind::kDelay) {
        const SimTime by = prng.log_range(1'000'000, misscount_);
        each_way([&](Link& link) {
            link.slow_until = until;
            link.slow_by = by;
        });
    } else if (action.kind == FaultKind::kReplay) {
        network.replay_old(1 + prng.index(20));
    } else if (action.kind == FaultKind::kForge) {
        network.forge(20);
    } else {
        network.heal();
    }
}

void Planner::partition(const FaultAction& action, Prng& prng) {
    const SimTime until = world_.now + action.duration;
    const std::uint64_t side =
        action.kind == FaultKind::kIsolate ? std::uint64_t{1} << action.a : prng.next();
    const bool one_way = prng.chance(1, 6);
    for (unsigned x = 0; x < world_.nodes(); ++x) {
        for (unsigned y = 0; y < world_.nodes(); ++y) {
            const bool crosses = (side >> x & 1U) == 0 && (side >> y & 1U) != 0;
            if (crosses && one_way) {
                world_.network->cut(x, y, until);
            } else if (crosses) {
                world_.network->cut_both(x, y, until);
            }
        }
    }
}

// ---------------------------------------------------------------------------------- disks

void Planner::disk_fault(const FaultAction& action, Prng& prng) {
    const SimTime until = world_.now + action.duration;
    Path& path = world_.disks->path(action.a, action.file);
    if (action.kind == FaultKind::kHangPath) {
        path.hang_until = until;
    } else if (action.kind == FaultKind::kHangNode || action.kind == FaultKind::kHangAll) {
        const std::uint64_t which =
            action.kind == FaultKind::kHangAll ? ~std::uint64_t{0} : prng.next();
        for (unsigned f = 0; f < world_.options.places(); ++f) {
            if ((which >> f & 1U) != 0) {
                world_.disks->path(action.a, f).hang_until = until;
            }
        }
    } else if (action.kind == FaultKind::kHangFile) {
        world_.disks->file_hang(action.file) = until;
    } else if (action.kind == FaultKind::kErrorPath) {
        path_error(action, prng);
    } else if (action.kind == FaultKind::kSlowPath) {
        path.slow_until = until;
        path.slow_by = prng.log_range(1'000'000, misscount_);
    } else if (action.kind == FaultKind::kHangAnswers) {
        path.answers_hang_until = until;
    } else if (action.kind == FaultKind::kLostWrite) {
        path.next_write = NextWrite::kLost;
    } else if (action.kind == FaultKind::kWriterDies) {
        path.next_write = prng.coin() ? NextWrite::kDaemonDies : NextWrite::kHostDies;
        path.strands_until = until;
    } else {
        path.misread_until = until;
    }
}

void Planner::path_error(const FaultAction& action, Prng& prng) {
    const SimTime until = world_.now + action.duration;
    Path& path = world_.disks->path(action.a, action.file);
    const std::int64_t which = prng.range(0, 2);
    path.write_errors_until = which != 0 ? until : path.write_errors_until;
    path.read_errors_until = which != 1 ? until : path.read_errors_until;
    Machine& machine = world_.machines[action.a];
    machine.excused_at = until;
    const FileIndex file = FileIndex::from_index(action.file);
    const bool busy = machine.daemon.interrupted || machine.daemon.paused_until > world_.now ||
                      machine.frozen(world_.now);
    if (prng.coin() && machine.running() && !busy && machine.daemon.opened.contains(file)) {
        // The shell gives the file up and opens it again when it works.
        machine.daemon.opened.erase(file);
        world_.runtime->step(machine, core::FileClosed{.file = file});
        world_.at(until, EventKind::kFileOpen, machine.index, machine.daemon.life, 0, file);
    }
}

void Planner::file_fault(const FaultAction& action, Prng& prng) {
    Disks& disks = *world_.disks;
    const unsigned insane = insane_file(action.file);
    const unsigned file = insane < world_.options.places() ? insane : action.file;
    Path& path = disks.path(action.a, file);
    for (Machine& machine : world_.machines) {
        machine.excused_at = world_.now + action.duration;
    }
    if (action.kind == FaultKind::kTornWrite) {
        path.next_write = tear_of(action);
    } else if (action.kind == FaultKind::kMisdirectedWrite) {
        path.next_write = NextWrite::kMisdirected;
    } else if (action.kind == FaultKind::kStaleRead) {
        disks.show_stale(action.a, file, world_.now + action.duration);
    } else if (action.kind == FaultKind::kWipeFile) {
        disks.wipe(file);
    } else if (action.kind == FaultKind::kReplaceFile) {
        disks.replace(file);
    } else if (prng.chance(1, 3)) {
        disks.save_copy(file);
    } else {
        restore_file(file, kRestoreTries);
    }
}

// ---------------------------------------------------------------------------------- hosts

void Planner::host_fault(const FaultAction& action, Prng& prng) {
    Machine& machine = world_.machines[action.a];
    const SimTime until = world_.now + action.duration;
    if (action.kind == FaultKind::kCrashHost) {
        world_.lifecycle->host_dies(machine);
    } else if (action.kind == FaultKind::kPowerCut) {
        for (Machine& each : world_.machines) {
            world_.lifecycle->host_dies(each);
        }
    } else if (action.kind == FaultKind::kPauseDaemon) {
        machine.excused_at = until;
        world_.runtime->pause(machine, until);
    } else if (action.kind == FaultKind::kPauseHost) {
        world_.lifecycle->freeze(machine, until);
    } else if (action.kind == FaultKind::kStall) {
        // Stops of the daemon between its effects; see Runtime. Here one at a fixed moment.
        machine.excused_at = world_.now;
        world_.runtime->pause(machine, world_.now + prng.log_range(100'000, misscount_ / 5));
    } else if (action.kind == FaultKind::kKillDaemon) {
        world_.lifecycle->daemon_killed(machine);
    } else {
        if (listens(machine)) {
            machine.excused_at = world_.now;
            world_.runtime->step(machine, core::GuardianLost{});
        }
    }
}

void Planner::guest_fault(const FaultAction& action) {
    Machine& original = world_.machines[action.a];
    // One that cannot come up at once would come up when its time is over, and stay.
    if (world_.lifecycle->guest_on() || world_.disks->busy(world_.machines.back())) {
        return;
    }
    if (action.kind == FaultKind::kForeignHost) {
        world_.lifecycle->start_guest(Role::kForeign, original);
        world_.at(world_.now + action.duration,
                  EventKind::kFaultTick,
                  world_.nodes(),
                  world_.machines.back().life);
        return;
    }
    const SimTime settled = 4 * interval(world_.options.largest()).count();
    const bool healthy = original.running() && !original.frozen(world_.now) &&
                         original.daemon.paused_until <= world_.now &&
                         !original.daemon.interrupted && !original.daemon.leaving &&
                         !original.daemon.stopping && !original.guardian.fencing &&
                         original.daemon.instance.unique != Unique{} &&
                         world_.now - original.daemon.started_at > settled &&
                         world_.disks->path_well(original.index);
    if (!healthy) {
        return;
    }
    const SimTime until = world_.now + std::max(action.duration, 2 * settled);
    original.protected_until = until + settled;
    world_.lifecycle->start_guest(Role::kClone, original);
    world_.at(until, EventKind::kFaultTick, world_.nodes(), world_.machines.back().life);
}

void Planner::on_writer_dies(const Event& event) {
    Machine& machine = world_.machines[event.machine];
    if (!may_touch(machine)) {
        return;
    }
    if (event.argument != 0 && machine.life == event.life) {
        world_.lifecycle->host_dies(machine);
    } else if (event.argument == 0 && machine.daemon.life == event.life) {
        world_.lifecycle->daemon_killed(machine);
    }
}

/// At the next moment at which an old copy is no worse than a lost file.
void Planner::restore_file(unsigned file, std::uint32_t tries) {
    if (!world_.disks->restore(file) && tries != 0 && world_.faults_on) {
        world_.at(world_.now + world_.beat().count() / 2,
                  EventKind::kFaultTick,
                  0,
                  0,
                  tries - 1,
                  FileIndex::from_index(file));
    }
}

void Planner::on_tick(const Event& event) {
    if (event.machine != world_.nodes()) {
        restore_file(event.file, event.argument);
        return;
    }
    const Machine& guest = world_.machines.back();
    if (guest.on && guest.life == event.life) {
        world_.lifecycle->stop_guest();
    }
}

// -------------------------------------------------------------------- people and programs

void Planner::request_fault(const FaultAction& action, Prng& prng) {
    Machine& machine = world_.machines[action.a];
    if (action.kind == FaultKind::kWallJump) {
        machine.wall_jump_seconds = prng.range(-40'000, 40'000);
        return;
    }
    if (action.kind == FaultKind::kJoinStorm) {
        for (unsigned i = 0; i < world_.nodes(); ++i) {
            if (may_touch(world_.machines[i]) && prng.coin()) {
                world_.lifecycle->daemon_killed(world_.machines[i]);
            }
        }
        return;
    }
    core::OperatorRequest request;
    if (action.kind == FaultKind::kLeave) {
        request.what = core::Leave{};
        machine.daemon.leaving = true;
    } else if (action.kind == FaultKind::kStopCluster) {
        request.what = core::StopClusterNodes{};
        for (Machine& each : world_.machines) {
            each.daemon.leaving = each.running();
        }
    } else if (action.kind == FaultKind::kEvict) {
        const NodeNumber victim = world_.options.numbers[action.b];
        request.what = core::EvictNode{.node = victim};
        world_.checkers->on_eviction_asked(victim);
    } else if (action.kind == FaultKind::kParameters) {
        set_parameters(machine, prng);
        return;
    } else if (action.kind == FaultKind::kVotingFiles) {
        if (const auto change = world_.file_sets->draw_change(machine, prng)) {
            request.what = *change;
            ask(machine, request);
        }
        return;
    } else if (action.kind == FaultKind::kStandby) {
        const bool standby = prng.coin();
        machine.daemon.standby = standby;
        request.what = core::SetStandby{.standby = standby};
    } else {
        const std::uint32_t weight =
            prng.coin() ? 1000 : static_cast<std::uint32_t>(prng.range(1, 5));
        request.what = core::SetWeight{.weight = weight};
        // What nobody took in must not count in the choice of the best cohort.
        machine.weight = listens(machine) ? weight : machine.weight;
    }
    ask(machine, request);
}

void Planner::set_parameters(Machine& machine, Prng& prng) {
    const Parameters& wanted = world_.options.palette[prng.index(world_.options.palette.size())];
    core::SetParameters change;
    if (prng.coin()) {
        change.misscount = wanted.misscount;
    }
    if (prng.coin()) {
        change.disktimeout = wanted.disktimeout;
    }
    if (prng.coin()) {
        change.reboottime = wanted.reboottime;
    }
    core::OperatorRequest request;
    request.what = change;
    ask(machine, request);
}

bool Planner::listens(const Machine& machine) const {
    return machine.running() && !machine.daemon.interrupted &&
           machine.daemon.paused_until <= world_.now && !machine.frozen(world_.now);
}

void Planner::ask(Machine& machine, const core::OperatorRequest& request) {
    if (listens(machine)) {
        world_.runtime->request(machine, request);
    }
}

// ------------------------------------------------------------------------------- recovery

void Planner::heal_all() {
    world_.faults_on = false;
    world_.network->heal();
    world_.network->set_base_loss(0);
    world_.disks->heal();
    if (world_.lifecycle->guest_on()) {
        world_.lifecycle->stop_guest();
    }
    for (unsigned i = 0; i < world_.nodes(); ++i) {
        Machine& machine = world_.machines[i];
        machine.daemon.standby = false;
        if (!machine.on) {
            world_.lifecycle->boot_at(machine, world_.now);
        } else if (machine.daemon.arbiter == nullptr) {
            world_.lifecycle->start_daemon_at(machine, world_.now);
        } else {
            core::OperatorRequest request;
            request.what = core::SetStandby{.standby = false};
            ask(machine, request);
        }
    }
}

}  // namespace css::sim
