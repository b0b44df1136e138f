#include "tests/simulator/ambush.h"

#include <algorithm>

namespace css::sim {

Ambusher::Ambusher(World& world, Planner& planner)
    : world_(world), planner_(planner), prng_(world.options.seed, 8) {}

bool Ambusher::waits_at(Place place) const {
    const auto& all = world_.options.ambushes;
    return world_.faults_on && std::any_of(all.begin(), all.end(), [place](const Ambush& a) {
               return a.place == place;
           });
}

void Ambusher::spring(Place place, Machine& machine) {
    if (!waits_at(place) || machine.index >= world_.nodes()) {
        return;
    }
    const std::uint32_t life = machine.daemon.life;
    for (const Ambush& ambush : world_.options.ambushes) {
        if (ambush.place != place || !prng_.chance(ambush.permille, 1000)) {
            continue;
        }
        world_.trace.line(world_.now,
                          static_cast<int>(machine.index),
                          "AMBUSH",
                          "at %s",
                          std::string{kPlaceNames[static_cast<std::size_t>(place)]}.c_str());
        for (const FaultKind move : ambush.moves) {
            const bool at_once = move == FaultKind::kPauseDaemon ||
                                 move == FaultKind::kKillDaemon || move == FaultKind::kCrashHost;
            const FaultAction what = action(move, machine, ambush.percent);
            if (!at_once) {
                // What steps a daemon waits until this one's step is over.
                pending_.push_back(what);
                world_.at(world_.now,
                          EventKind::kAmbush,
                          machine.index,
                          0,
                          static_cast<std::uint32_t>(pending_.size() - 1));
            } else if (machine.daemon.life == life) {
                planner_.perform(what);
            }
        }
    }
}

void Ambusher::spring_later(Place place, NodeNumber node) {
    if (!waits_at(place)) {
        return;
    }
    const SimTime beat = world_.beat().count();
    for (const Machine& machine : world_.machines) {
        if (machine.number != node || machine.index >= world_.nodes()) {
            continue;
        }
        for (const Ambush& ambush : world_.options.ambushes) {
            if (ambush.place != place || !prng_.chance(ambush.permille, 1000)) {
                continue;
            }
            const SimTime when = world_.now + prng_.log_range(10'000, beat);
            for (const FaultKind move : ambush.moves) {
                pending_.push_back(action(move, machine, ambush.percent));
                world_.at(when,
                          EventKind::kAmbush,
                          machine.index,
                          0,
                          static_cast<std::uint32_t>(pending_.size() - 1));
            }
        }
    }
}

void Ambusher::on_event(const Event& event) {
    if (world_.faults_on) {
        const FaultAction what = pending_[event.argument];  // What it does may add to the list.
        planner_.perform(what);
    }
}

FaultAction Ambusher::action(FaultKind kind, const Machine& target, unsigned percent) {
    FaultAction what;
    what.at = world_.now;
    what.kind = kind;
    what.a = target.index;
    what.b = prng_.index(world_.nodes());
    if (what.b == what.a) {
        what.b = (what.b + 1) % world_.nodes();
    }
    if (kind == FaultKind::kEvict) {
        std::swap(what.a, what.b);  // One of the others is asked.
    }
    what.file = prng_.index(world_.options.files);
    const SimTime misscount = Duration{world_.options.initial().misscount}.count();
    const SimTime drawn = prng_.log_range(misscount / 50, 2 * misscount);
    const SimTime wanted = percent != 0 ? misscount * percent / 100 : drawn;
    what.duration = std::max<SimTime>(1, std::min(wanted, world_.options.fault_phase - world_.now));
    what.salt = prng_.next();
    return what;
}

}  // namespace css::sim
