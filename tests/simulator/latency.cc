#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "tests/simulator/measure.h"
#include "tests/simulator/simulation.h"

namespace css::sim {
namespace {

enum class Story { kCrash, kCleanCut, kIsolated, kLeave, kJoin };
constexpr std::array<const char*, 5> kStories{
    "crash of one of four", "clean cut 2:2", "one of four isolated", "clean leave", "join"};

/// Does it, and says which machines must end up acting.
std::uint64_t begin_story(Simulation& sim, Story story) {
    World& world = sim.world;
    Machine& victim = world.machines[3];
    switch (story) {
        case Story::kCrash: sim.lifecycle.host_dies(victim); return 0b0111;
        case Story::kCleanCut:
            for (unsigned a = 0; a < 2; ++a) {
                sim.network.cut_both(a, 2, SimTime{1} << 60);
                sim.network.cut_both(a, 3, SimTime{1} << 60);
            }
            return 0b0011;
        case Story::kIsolated:
            for (unsigned a = 0; a < 3; ++a) {
                sim.network.cut_both(a, 3, SimTime{1} << 60);
            }
            return 0b0111;
        case Story::kLeave: {
            core::OperatorRequest request;
            request.what = core::Leave{};
            sim.runtime.request(victim, request);
            return 0b0111;
        }
        case Story::kJoin: sim.lifecycle.start_daemon_at(victim, world.now); return 0b1111;
    }
    return 0;
}

/// All of `wanted` act under a complete record of exactly them.
bool settled(const Simulation& sim, std::uint64_t wanted) {
    NodeSet members;
    for (unsigned i = 0; i < 4; ++i) {
        if ((wanted >> i & 1U) != 0) {
            members.insert(sim.world.machines[i].number);
        }
    }
    const Record& told = sim.checkers.told();
    if (!(told.members == members)) {
        return false;
    }
    for (unsigned i = 0; i < 4; ++i) {
        const Machine& machine = sim.world.machines[i];
        if ((wanted >> i & 1U) != 0 &&
            (!machine.clients.may_act || machine.clients.token != told.incarnation)) {
            return false;
        }
    }
    return true;
}

/// Seconds from the event until all who remain have told their clients; negative: never.
double measure(std::uint64_t seed, Story story, const Parameters& p) {
    Counters counters;
    const Options options = quiet_options(seed, 4, 3, p);
    Simulation sim{options, counters};
    sim.world.options.fault_phase = SimTime{1} << 60;
    const SimTime misscount = Duration{p.misscount}.count();
    sim.start(misscount / 10);
    if (!sim.run_until_holds(100 * misscount, misscount / 10, [&] { return sim.all_in(); })) {
        return -1;
    }
    Prng prng{seed, 8};
    sim.world.machines[3].keep_running = false;  // Only the story brings it back.
    if (story == Story::kJoin) {
        core::OperatorRequest request;
        request.what = core::Leave{};
        sim.runtime.request(sim.world.machines[3], request);
        const SimTime limit = sim.world.now + 10 * misscount;
        if (!sim.run_until_holds(
                limit, misscount / 100, [&] { return !sim.world.machines[3].running(); })) {
            return -1;
        }
    }
    sim.run_until(sim.world.now + 2 * misscount + prng.range(0, misscount));
    const SimTime begin = sim.world.now;
    const std::uint64_t wanted = begin_story(sim, story);
    if (!sim.run_until_holds(
            begin + 20 * misscount, 200'000, [&] { return settled(sim, wanted); })) {
        return -1;
    }
    return static_cast<double>(sim.world.now - begin) / 1e9;
}

void row(Story story, const Parameters& p, unsigned runs) {
    std::vector<double> took;
    unsigned never = 0;
    for (unsigned i = 1; i <= runs; ++i) {
        const double seconds = measure(i, story, p);
        seconds < 0 ? static_cast<void>(++never) : took.push_back(seconds);
    }
    if (took.empty()) {
        std::printf("%-22s  never\n", kStories[static_cast<std::size_t>(story)]);
        return;
    }
    std::sort(took.begin(), took.end());
    const double misscount = static_cast<double>(p.misscount.count()) / 1e3;
    const double median = took[took.size() / 2];
    const double p95 = took[took.size() * 95 / 100];
    std::printf("%-22s  %6.1f/%-4.1f  %9.3f  %9.3f  %9.3f  %6.2fx  %6.2fx  %6.2fx  %u\n",
                kStories[static_cast<std::size_t>(story)],
                misscount,
                static_cast<double>(p.reboottime.count()) / 1e3,
                median,
                p95,
                took.back(),
                median / misscount,
                p95 / misscount,
                took.back() / misscount,
                never);
}

}  // namespace

int run_latency(unsigned runs) {
    using Ms = std::chrono::milliseconds;
    const std::array<Parameters, 2> sets{
        Parameters{},
        Parameters{.misscount = Ms{1000}, .disktimeout = Ms{7000}, .reboottime = Ms{200}}};
    std::printf(
        "four nodes, three files, %u runs each; from the event until every node that stays "
        "has told its clients\n",
        runs);
    std::puts(
        "event                   misscount/reboottime  median s      p95 s      max s   "
        "(of misscount)           never");
    for (const Parameters& p : sets) {
        for (unsigned s = 0; s < kStories.size(); ++s) {
            row(static_cast<Story>(s), p, runs);
        }
    }
    return 0;
}

}  // namespace css::sim
