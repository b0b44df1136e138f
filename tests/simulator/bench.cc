#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "tests/simulator/measure.h"
#include "tests/simulator/simulation.h"

namespace css::sim {
namespace {

double processor_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

enum class Load { kQuiet, kModerate };

void bench(unsigned nodes, unsigned files, Load load) {
    Options options = quiet_options(1, nodes, files, Parameters{});
    constexpr SimTime kHour = 3'600'000'000'000;
    if (load == Load::kModerate) {
        options.loss_permille = 10;
        options.fault_gap = 300'000'000'000;
        constexpr std::array<FaultKind, 6> kKinds{FaultKind::kCutPair,
                                                  FaultKind::kIsolate,
                                                  FaultKind::kHangPath,
                                                  FaultKind::kCrashHost,
                                                  FaultKind::kSlowPath,
                                                  FaultKind::kLeave};
        for (const FaultKind kind : kKinds) {
            options.mix[static_cast<std::size_t>(kind)] = 1;
        }
    }
    options.fault_phase = 100 * kHour;
    options.schedule = draw_schedule(options);
    Counters counters;
    Simulation sim{options, counters};
    sim.world.faults_on = load == Load::kModerate;
    sim.start(1'000'000'000);
    constexpr SimTime kMinute = kHour / 60;
    CSS_CHECK(sim.run_until_holds(kHour, kMinute / 60, [&] { return sim.all_in(); }));
    sim.planner.schedule();
    const Counters before = counters;
    const SimTime begun_at = sim.world.now;
    const double begin = processor_seconds();
    double took = 0;
    while ((took < 2.0 || sim.world.now < begun_at + 10 * kMinute) &&
           sim.world.now < options.fault_phase) {
        sim.run_until(sim.world.now + kMinute);
        took = processor_seconds() - begin;
    }
    const auto rate = [took](std::uint64_t now, std::uint64_t then) {
        return static_cast<double>(now - then) / took;
    };
    std::printf("%5u  %5u  %-8s  %12.3f  %14.0f  %12.0f  %14.1f\n",
                nodes,
                files,
                load == Load::kQuiet ? "none" : "moderate",
                static_cast<double>(sim.world.now - begun_at) / kHour / took,
                rate(counters.steps, before.steps),
                rate(counters.events, before.events),
                1e9 / rate(counters.steps, before.steps));
}

}  // namespace

int run_bench() {
    std::puts("default time-outs, one core");
    std::puts("nodes  files  faults    sim-hours/s       steps/s      events/s         ns/step");
    bench(3, 3, Load::kQuiet);
    bench(3, 3, Load::kModerate);
    constexpr std::array<unsigned, 6> kNodes{1, 4, 8, 16, 32, 64};
    for (const unsigned nodes : kNodes) {
        bench(nodes, 3, Load::kModerate);
    }
    return 0;
}

}  // namespace css::sim
