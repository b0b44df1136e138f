#include "tests/simulator/runtime.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "tests/simulator/ambush.h"
#include "tests/simulator/audit.h"
#include "tests/simulator/checkers.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/fencing.h"
#include "tests/simulator/file_sets.h"
#include "tests/simulator/lifecycle.h"
#include "tests/simulator/network.h"

namespace css::sim {

void Runtime::step(Machine& machine, const core::Input& input) {
    CSS_CHECK(machine.daemon.arbiter != nullptr);
    CSS_CHECK(!machine.daemon.interrupted);
    ++world_.counters.steps;
    if (world_.audit != nullptr) {
        world_.audit->before_step(machine, input);
    }
    machine.daemon.arbiter->step(machine.clock.local(world_.now), input);
    if (depth_ == outputs_.size()) {
        outputs_.emplace_back();
    }
    core::Output& output = outputs_[depth_++];
    machine.daemon.arbiter->take_output(output);
    for (const core::Notice& notice : output.notices) {
        if (notice.kind == core::NoticeKind::kDecided) {
            world_.checkers->on_decided(machine);
            break;
        }
    }
    if (world_.audit != nullptr) {
        world_.audit->after_step(machine, output);
    }
    carry_out_step(machine, output);
    --depth_;
}

void Runtime::carry_out_step(Machine& machine, core::Output& output) {
    if (world_.ambusher->waits_at(Place::kDecided) && decides(machine, output)) {
        const std::uint32_t life = machine.daemon.life;
        world_.ambusher->spring(Place::kDecided, machine);
        if (machine.daemon.life != life) {
            return;  // It died with the decision.
        }
    }
    carry_out(machine, output, Stage::kLease);
}

void Runtime::on_wake(Machine& machine) {
    Daemon& daemon = machine.daemon;
    if (world_.now < daemon.wake_event_at) {
        return;  // A later one is under way.
    }
    daemon.wake_event_at = 0;
    if (machine.clock.local(world_.now) < daemon.wake_at) {
        schedule_wake(machine);
        return;
    }
    step(machine, core::Tick{});
}

void Runtime::on_resume(Machine& machine) {
    Daemon& daemon = machine.daemon;
    if (daemon.paused_until > world_.now) {
        return;
    }
    daemon.held_back = 0;
    if (daemon.interrupted) {
        daemon.interrupted = false;
        core::Output rest = std::move(daemon.rest);
        carry_out(machine, rest, daemon.rest_stage);
    }
}

void Runtime::pause(Machine& machine, SimTime until) {
    Daemon& daemon = machine.daemon;
    until = std::min(until, world_.options.fault_phase);
    if (until <= std::max(daemon.paused_until, world_.now) || !machine.running()) {
        return;
    }
    daemon.paused_until = until;
    world_.trace.line(world_.now,
                      static_cast<int>(machine.index),
                      "PAUSED",
                      "for %.6f s",
                      static_cast<double>(until - world_.now) / 1e9);
    // Before anything that is put off to this time: it is pushed first.
    world_.at(until, EventKind::kResume, machine.index, daemon.life);
}

void Runtime::request(Machine& machine, core::OperatorRequest request) {
    request.id = ++world_.requests;
    step(machine, request);
}

// ------------------------------------------------------------------------------- effects

void Runtime::carry_out(Machine& machine, core::Output& output, Stage from) {
    switch (from) {
        case Stage::kLease:
            if (interrupted(machine, output, Stage::kLease)) {
                return;
            }
            if (output.lease) {
                mix(machine, output.lease->serial);
                world_.trace.mix(
                    static_cast<std::uint64_t>(output.lease->end.time_since_epoch().count()));
                world_.checkers->on_lease(machine, *output.lease);
                if (world_.audit != nullptr) {
                    world_.audit->on_lease(machine, *output.lease);
                }
                world_.fencing->tell(machine, *output.lease);
            }
            [[fallthrough]];
        case Stage::kCycles:
            if (interrupted(machine, output, Stage::kCycles)) {
                return;
            }
            if (!carry_out_cycles(machine, output)) {
                return;
            }
            [[fallthrough]];
        case Stage::kHeartbeat:
            if (interrupted(machine, output, Stage::kHeartbeat)) {
                return;
            }
            if (output.heartbeat) {
                mix(machine, output.heartbeat->sequence.value());
                world_.checkers->on_send(machine, *output.heartbeat);
                if (world_.audit != nullptr) {
                    world_.audit->on_send(machine, *output.heartbeat);
                }
                machine.daemon.state = output.heartbeat->state;
                world_.network->send(machine, *output.heartbeat);
            }
            [[fallthrough]];
        case Stage::kRest:
            if (interrupted(machine, output, Stage::kRest)) {
                return;
            }
            carry_out_rest(machine, output);
            break;
    }
}

bool Runtime::has_effect(const core::Output& output, Stage stage) {
    switch (stage) {
        case Stage::kLease: return output.lease.has_value();
        case Stage::kCycles: return !output.cycles.empty();
        case Stage::kHeartbeat: return output.heartbeat.has_value();
        case Stage::kRest: break;
    }
    return !output.notices.empty() || !output.fence.empty() || output.drain || output.fence_self ||
           output.exit;
}

bool Runtime::interrupted(Machine& machine, core::Output& output, Stage next) {
    Daemon& daemon = machine.daemon;
    const unsigned share = world_.faults_on ? world_.options.stall_permille : 0;
    if (share != 0 && has_effect(output, next) && machine.protected_until <= world_.now &&
        world_.prng_host.chance(share, 500)) {
        // Mostly shorter than an interval, now and then longer than any time-out of the network.
        const SimTime misscount = world_.options.initial().misscount.count() * 1'000'000;
        pause(machine, world_.now + world_.prng_host.log_range(1'000'000, 2 * misscount));
        machine.excused_at = world_.now;
        ++world_.counters.faults[static_cast<std::size_t>(FaultKind::kStall)];
    }
    if (daemon.paused_until <= world_.now) {
        return false;
    }
    machine.excused_at = daemon.paused_until;
    daemon.interrupted = true;
    daemon.rest_stage = next;
    daemon.rest = std::move(output);
    return true;
}

/// The hash is of what the daemons do and when, not of how often they are stepped for it.
void Runtime::mix(const Machine& machine, std::uint64_t what) {
    world_.trace.mix(static_cast<std::uint64_t>(world_.now) ^ std::uint64_t{machine.index} << 56U);
    world_.trace.mix(what);
}

bool Runtime::decides(const Machine& machine, const core::Output& output) {
    return std::any_of(
        output.notices.begin(), output.notices.end(), [&machine](const core::Notice& n) {
            return n.kind == core::NoticeKind::kDecided && n.by == machine.number;
        });
}

bool Runtime::carry_out_cycles(Machine& machine, const core::Output& output) {
    std::bitset<kPlaces> reached;
    for (const core::CycleOrder& order : output.cycles) {
        mix(machine, order.id << 4U | order.file.index());
        if (world_.audit != nullptr) {
            world_.audit->on_publish(machine, order);
        }
        if (order.own) {
            mix(machine, order.own->heartbeat.sequence.value());
            world_.checkers->on_publish(machine, order.own->heartbeat);
            reached |= note_published(machine.daemon, machine.number, *order.own);
        }
        world_.disks->submit(machine, order);
    }
    const std::uint32_t life = machine.daemon.life;
    for (std::size_t i = 0; i < kPlaces && reached.any(); ++i) {
        if (reached[i] && machine.daemon.life == life) {
            world_.ambusher->spring(static_cast<Place>(i), machine);
        }
    }
    return machine.daemon.life == life;
}

std::bitset<kPlaces> Runtime::note_published(Daemon& daemon,
                                             NodeNumber self,
                                             const core::CycleOrder::Own& own) {
    std::bitset<kPlaces> reached;
    const auto reach = [&reached](Place place, bool now) {
        reached[static_cast<std::size_t>(place)] = now;
    };
    const voting::Heartbeat& h = own.heartbeat;
    const Instance instance{self, h.unique};
    reach(Place::kInstance, daemon.instance != instance);
    reach(Place::kRecord, h.record.incarnation > daemon.published && h.record.lists(instance));
    reach(Place::kActive, h.state == NodeState::kActive && daemon.state != h.state);
    reach(Place::kResetting, h.state == NodeState::kResetting && daemon.state != h.state);
    reach(Place::kBallot,
          std::tie(own.ballot.instance, own.ballot.mbal, own.ballot.bal) !=
              std::tie(daemon.ballot, daemon.mbal, daemon.bal));
    daemon.instance = instance;
    daemon.state = h.state;
    daemon.published = h.record.incarnation;
    daemon.ballot = own.ballot.instance;
    daemon.mbal = own.ballot.mbal;
    daemon.bal = own.ballot.bal;
    return reached;
}

void Runtime::carry_out_rest(Machine& machine, core::Output& output) {
    for (const core::Notice& notice : output.notices) {
        count(machine, notice);
    }
    for (const Instance victim : output.fence) {
        world_.fencing->run_fence_command(machine, victim);
    }
    machine.daemon.wake_at = output.wake_at;
    if (output.drain) {
        world_.fencing->drain(machine);
    }
    if (output.fence_self) {
        world_.fencing->fence_self(machine, *output.fence_self);
    }
    if (output.exit) {
        world_.lifecycle->daemon_exits(machine, *output.exit);
        return;
    }
    schedule_wake(machine);
}

/// One wake is under way at a time unless an earlier one is needed. Most outputs only put the wake
/// off: then the old one fires, finds itself early and is pushed again.
void Runtime::schedule_wake(Machine& machine) {
    Daemon& daemon = machine.daemon;
    if (daemon.wake_at == kForever) {
        return;
    }
    if (daemon.wake_event_at != 0 &&
        machine.clock.local(daemon.wake_event_at - 1) < daemon.wake_at) {
        return;
    }
    const SimTime when = machine.clock.when(daemon.wake_at, world_.now);
    daemon.wake_event_at = when;
    world_.at(when, EventKind::kWake, machine.index, daemon.life);
}

void Runtime::count(Machine& machine, const core::Notice& notice) {
    Counters& counters = world_.counters;
    ++counters.notices[static_cast<std::size_t>(notice.kind)];
    ++counters.confirm_rules[static_cast<std::size_t>(notice.confirmed_by)];
    if (notice.kind == core::NoticeKind::kLeaseLost) {
        ++counters.stop_reasons[static_cast<std::size_t>(notice.stop)];
    }
    if (notice.kind == core::NoticeKind::kStartRefused) {
        ++counters.start_refusals[static_cast<std::size_t>(notice.start)];
    }
    if (notice.kind == core::NoticeKind::kDecided) {
        ++counters.triggers[static_cast<std::size_t>(notice.cause)];
    }
    if (notice.kind == core::NoticeKind::kRequestDone) {
        ++counters.request_results[static_cast<std::size_t>(notice.request_result)];
    }
    world_.trace.mix(static_cast<std::uint64_t>(world_.now) * 64 +
                     static_cast<std::uint64_t>(notice.kind));
    world_.trace.mix(notice.members.bits() ^ notice.incarnation.value() << 32U ^
                     notice.unique.value());
    world_.checkers->on_notice(machine, notice);
    if (notice.kind == core::NoticeKind::kVotingFiles) {
        world_.file_sets->on_change(machine, notice);
    }
    if (world_.trace.on()) {
        world_.trace.line(world_.now,
                          static_cast<int>(machine.index),
                          name_of(notice.kind),
                          "%s",
                          to_text(notice).c_str());
    }
}

}  // namespace css::sim
