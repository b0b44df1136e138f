#include <gtest/gtest.h>

#include "cssd/base/timing.h"
#include "tests/simulator/simulation.h"

namespace css::sim {
namespace {

constexpr SimTime kLong = 3'600'000'000'000;

/// Disk cycles of three nodes that lose the third one and keep on for an hour.
std::uint64_t cycles_of_an_hour(std::uint16_t bad_kill_files) {
    Options options = quiet_options(1, 3, 3, Parameters{});
    options.bad_kill_files = bad_kill_files;
    Counters counters;
    Simulation sim{options, counters};
    const SimTime misscount = Duration{options.initial().misscount}.count();
    sim.start(misscount / 10);
    EXPECT_TRUE(sim.run_until_holds(kLong, misscount, [&] { return sim.all_in(); }));
    sim.world.machines[2].keep_running = false;
    sim.lifecycle.host_dies(sim.world.machines[2]);
    sim.run_until(sim.world.now + 2 * misscount);
    const std::uint64_t before = counters.cycles;
    const SimTime end = sim.world.now + kLong;
    while (sim.world.now < end) {
        EXPECT_EQ(sim.acting(), 0b011U) << "at " << sim.world.now;
        sim.run_until(sim.world.now + misscount);
    }
    return counters.cycles - before;
}

/// PROTOCOL 7.5: a kill block speeds the victim's stop, and that is all. Where none can be written,
/// nobody loses a file for it, nor tries again faster than cycles come.
TEST(BadSectors, AKillBlockThatCannotBeWrittenCostsNothing) {
    const std::uint64_t healthy = cycles_of_an_hour(0);
    EXPECT_GT(healthy, 3000U);
    EXPECT_EQ(cycles_of_an_hour(0b111), healthy);
}

}  // namespace
}  // namespace css::sim
