#include "tests/simulator/run.h"

#include "tests/simulator/best_cohort.h"
#include "tests/simulator/simulation.h"
#include "tests/simulator/timeline.h"

namespace css::sim {
namespace {

/// Recovery that section 7 lets wait for disktimeout: formation by another host, a victim that no
/// witness can vouch for. Two such waits may follow one another.
SimTime bound_long(const Options& options) {
    const Parameters most = options.largest();
    const Duration once = stretched(Duration{most.disktimeout} + Duration{most.reboottime}) +
                          Duration{most.misscount} + settle_max(most) + 60 * interval(most);
    return 2 * once.count() + 10'000'000'000;
}

/// Recovery without such a wait: silence, settling, one reconfiguration after the other.
SimTime bound_short(const Options& options) {
    const Parameters most = options.largest();
    const Duration once =
        2 * Duration{most.misscount} + Duration{most.reboottime} + settle_max(most);
    return once.count() * 2 + 10'000'000'000;
}

[[noreturn]] void not_live(const std::string& invariant, const std::string& what) {
    throw Violation{Verdict::kLiveness, invariant, what};
}

std::string nodes_text(std::uint64_t mask) {
    std::string text = "machines {";
    for (unsigned i = 0; i < 64; ++i) {
        text += (mask >> i & 1U) != 0 ? " " + std::to_string(i + 1) : "";
    }
    return text + " }";
}

void check_progress(Simulation& sim) {
    const Options& options = sim.world.options;
    const SimTime begin = sim.world.now;
    const SimTime bound = bound_long(options);
    // Clients whose daemon died unseen act until their lease ends, at most disktimeout later.
    bool abandoned = false;
    for (const Machine& machine : sim.world.machines) {
        const bool own = machine.running() && machine.clients.instance == machine.daemon.instance;
        abandoned = abandoned || (machine.clients.acting && !own && !machine.guardian.fencing);
    }
    const SimTime step = sim.world.beat().count() / 2;
    // What was on its way when the faults ended (a lapsing lease, a link in doubt) takes its
    // course.
    const Parameters most = options.largest();
    sim.run_until(begin + 2 * Duration{most.misscount}.count() + settle_max(most).count());
    const std::uint64_t long_before =
        sim.world.counters.confirm_rules[static_cast<std::size_t>(core::ConfirmRule::kE3Long)];
    const auto done = [&] {
        if (options.replay_always) {
            sim.network.replay_old(8);
        }
        return sim.all_in();
    };
    if (!sim.run_until_holds(begin + bound, step, done)) {
        not_live("Progress",
                 "not everybody is in " + std::to_string(bound / 1'000'000'000) +
                     " s after the last fault; acting: " + nodes_text(sim.acting()) +
                     ", complete: " + to_text(sim.checkers.told()));
    }
    const SimTime took = sim.world.now - begin;
    Counters& counters = sim.world.counters;
    counters.recovery_permille_max =
        std::max(counters.recovery_permille_max, static_cast<std::uint64_t>(took * 1000 / bound));
    sim.world.trace.line(
        sim.world.now, -1, "RECOVERED", "in %.3f s", static_cast<double>(took) / 1e9);
    if (took > bound_short(options)) {
        ++counters.recoveries_long;
        const std::uint64_t long_now =
            counters.confirm_rules[static_cast<std::size_t>(core::ConfirmRule::kE3Long)];
        // A number last held by other hardware waits as long, before its instance begins.
        if (long_now == long_before && !sim.lifecycle.foreign_started() && !abandoned) {
            not_live("Progress",
                     "recovery took " + std::to_string(took / 1'000'000) +
                         " ms though nothing demanded E3 long");
        }
    }
}

/// With everything well for misscount nothing changes any more.
void check_quiet(Simulation& sim) {
    const Incarnation before = sim.checkers.newest().incarnation;
    const SimTime wait = Duration{sim.world.options.largest().misscount}.count();
    sim.run_until(sim.world.now + wait);
    if (!sim.checkers.newest().files_next.empty()) {
        not_live("Progress",
                 "a change of the voting files does not end: " + to_text(sim.checkers.newest()));
    }
    if (sim.checkers.newest().incarnation != before) {
        // Parameter changes that wait for their moment may still come; departures may not.
        if (!sim.all_in()) {
            not_live("Progress", "a healthy cluster changed: " + to_text(sim.checkers.newest()));
        }
    }
}

/// A value that was accepted for the next record while a link was lost, and not decided before it
/// came back: whoever begins the next ballot has to take it up (found with seed 7286).
bool value_stands(const Simulation& sim) {
    const Incarnation next{sim.checkers.newest().incarnation.value() + 1};
    for (unsigned f = 0; f < sim.world.options.places(); ++f) {
        const VotingImage& image = sim.disks.image(FileIndex::from_index(f));
        for (const SlotView& slot : image.views(image.slots())) {
            if (slot.ballot.instance == next && slot.ballot.bal != 0) {
                return true;
            }
        }
    }
    return false;
}

/// Best cohort: a cut that stays, of any shape, and the one set that must be left.
void check_partition(Simulation& sim) {
    World& world = sim.world;
    Prng prng{world.options.seed, 7};
    const unsigned nodes = world.nodes();
    const std::uint64_t side = prng.next();
    const bool clean = prng.coin();
    const std::uint64_t density = prng.below(4);
    for (unsigned a = 0; a < nodes; ++a) {
        for (unsigned b = a + 1; b < nodes; ++b) {
            const bool drawn = prng.chance(density, 8);
            const bool crosses = (side >> a & 1U) != (side >> b & 1U);
            if (clean ? !crosses : !drawn) {
                continue;
            }
            world.trace.line(world.now, -1, "CUT", "machines %u %u", a + 1, b + 1);
            if (prng.chance(1, 4)) {
                sim.network.cut(a, b, SimTime{1} << 60);
            } else {
                sim.network.cut_both(a, b, SimTime{1} << 60);
            }
        }
    }
    std::vector<std::uint64_t> edges(nodes);
    std::vector<std::uint32_t> weights;
    for (unsigned a = 0; a < nodes; ++a) {
        for (unsigned b = 0; b < nodes; ++b) {
            if (a != b && sim.network.linked(a, b)) {
                edges[a] |= std::uint64_t{1} << b;
            }
        }
        weights.push_back(world.machines[a].weight);
    }
    const std::uint64_t best = BestCohort{edges, weights}.members();
    ++world.counters.partitions_checked;
    // Whoever has to go has gone by then, unless E3 long is demanded; and it stays so.
    const Parameters most = world.options.largest();
    const SimTime misscount = Duration{most.misscount}.count();
    const SimTime begin = world.now;
    sim.run_until(begin + 2 * misscount + settle_max(most).count());
    const auto left = [&] { return sim.acting() == best; };
    if (sim.run_until_holds(begin + bound_long(world.options), world.beat().count(), left)) {
        sim.run_until(world.now + misscount);
    }
    if (!left()) {
        not_live("Best cohort",
                 "expected " + nodes_text(best) + ", acting " + nodes_text(sim.acting()) +
                     ", complete " + to_text(sim.checkers.told()));
    }
}

/// Progress: no eviction waits for ever. A node that neither hears nor reads is evicted by hand,
/// goes on sending, and writing where writes still land, for most of its lease, and is gone. All
/// others are well, and it was seen to have adopted what they have: E3 short must do, counted from
/// the decision and not from its last sign of life.
void check_eviction(Simulation& sim) {
    World& world = sim.world;
    const Parameters p = world.checkers->newest().parameters;
    Prng prng{world.options.seed, 12};
    const unsigned victim = prng.index(world.nodes());
    Machine& machine = world.machines[victim];
    const bool hangs = prng.coin();
    machine.keep_running = false;
    for (unsigned f = 0; f < world.options.places(); ++f) {
        Path& path = sim.disks.path(victim, f);
        (hangs ? path.hang_until : path.read_errors_until) = SimTime{1} << 60;
    }
    for (unsigned other = 0; other < world.nodes(); ++other) {
        sim.network.cut(other, victim, SimTime{1} << 60);
    }
    core::OperatorRequest request;
    request.what = core::EvictNode{.node = machine.number};
    world.checkers->on_eviction_asked(machine.number);
    Machine& asked = world.machines[(victim + 1) % world.nodes()];
    const Instance gone = machine.daemon.instance;
    const SimTime begin = world.now;
    sim.runtime.request(asked, request);
    sim.run_until(begin + siot(p).count() * 8 / 10);
    sim.lifecycle.host_dies(machine);
    const SimTime bound = begin + (stretched(p.misscount) + 6 * interval(p)).count() +
                          100 * world.options.disk_latency_max;
    const auto done = [&] { return world.checkers->told().drops(gone); };
    if (!sim.run_until_holds(bound, interval(p).count() / 4, done)) {
        not_live("Progress",
                 "the eviction of a silent node takes more than " +
                     std::to_string((bound - begin) / 1'000'000) +
                     " ms; complete: " + to_text(sim.checkers.told()));
    }
    ++world.counters.evictions_checked;
}

void run_phases(Simulation& sim) {
    const Options& options = sim.world.options;
    sim.world.faults_on = true;
    sim.start(options.fault_phase / 10);
    sim.planner.schedule();
    sim.run_until(options.fault_phase);
    sim.world.trace.line(sim.world.now, -1, "HEALED", "all faults end");
    sim.planner.heal_all();
    check_progress(sim);
    check_quiet(sim);
    if (options.final_eviction && options.nodes() > 1 && sim.all_in()) {
        check_eviction(sim);
    } else if (options.final_partition && options.nodes() <= 16 && !value_stands(sim)) {
        check_partition(sim);
    }
}

}  // namespace

RunResult run_seed(const Options& options,
                   Counters& counters,
                   TraceMode trace,
                   Timeline* timeline) {
    RunResult result;
    Simulation sim{options, counters};
    sim.world.trace.set_mode(trace);
    if (timeline != nullptr) {
        timeline->attach(sim.world);
    }
    try {
        run_phases(sim);
    } catch (const Violation& violation) {
        result.verdict = violation.verdict;
        result.invariant = violation.invariant;
        result.what = violation.what;
        counters.out_of_scope += violation.verdict == Verdict::kPassed ? 1U : 0U;
    }
    ++counters.runs;
    result.at = sim.world.now;
    result.hash = sim.world.trace.hash();
    result.last_lines = sim.world.trace.kept();
    if (timeline != nullptr) {
        timeline->end(result);
    }
    return result;
}

}  // namespace css::sim
