#include "tests/simulator/options.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "cssd/base/check.h"
#include "tests/simulator/directed.h"
#include "tests/simulator/directed_runs.h"
#include "tests/simulator/prng.h"

namespace css::sim {
namespace {

constexpr SimTime kMs = 1'000'000;
using Ms = std::chrono::milliseconds;

/// Inside and at the edges of 2 intervals <= reboottime < misscount < disktimeout.
Parameters draw_parameters(Prng& prng) {
    // Mostly short: all scales with misscount but for the 20 ms between the cycles of a
    // reconfiguration, of which a long misscount has thousands.
    constexpr std::array<std::int64_t, 6> kMisscounts{500, 500, 600, 1000, 2000, 3000};
    Parameters p;
    std::int64_t misscount = kMisscounts[prng.index(kMisscounts.size())];
    if (prng.chance(1, 6)) {
        misscount = prng.log_range(500, 10'000);
    } else if (prng.chance(1, 40)) {
        misscount = prng.log_range(10'000, 60'000);
    }
    p.misscount = Ms{misscount};
    const std::int64_t two_intervals = (2 * interval(p) + Duration{kMs - 1}) / Ms{1};
    // An echo may be two intervals old, and SIOT is longer than that.
    const std::int64_t most = misscount - two_intervals - 1;
    p.reboottime = Ms{prng.edgy(two_intervals, most)};
    if (prng.chance(3, 4)) {  // The usual case: a tenth to a half.
        p.reboottime = Ms{prng.range(two_intervals, std::max(two_intervals, misscount / 2))};
    }
    p.disktimeout = Ms{prng.edgy(misscount + 1, 8 * misscount)};
    if (prng.chance(1, 60)) {
        p = Parameters{};
    }
    return p;
}

void draw_parameter_palette(Prng& prng, const Overrides& over, Options& options) {
    options.palette.assign(1, draw_parameters(prng));
    Parameters& first = options.palette.front();
    if (over.misscount_ms != 0) {
        first.misscount = Ms{over.misscount_ms};
        first.disktimeout = Ms{over.misscount_ms * 7};
        first.reboottime = Ms{over.misscount_ms * 3 / 10};
    }
    first.disktimeout = over.disktimeout_ms != 0 ? Ms{over.disktimeout_ms} : first.disktimeout;
    first.reboottime = over.reboottime_ms != 0 ? Ms{over.reboottime_ms} : first.reboottime;
    CSS_CHECK(consistent(first));
    const std::int64_t others = prng.range(0, 2);
    for (std::int64_t i = 0; i < others; ++i) {
        // Within a factor of four, so that a run is not dominated by waiting.
        Parameters p = options.palette.front();
        p.misscount = Ms{std::max<std::int64_t>(500, p.misscount.count() * prng.range(2, 16) / 8)};
        p.disktimeout = p.misscount * prng.range(9, 40) / 8;
        p.reboottime = Ms{prng.range((2 * interval(p) + Duration{kMs - 1}) / Ms{1},
                                     std::max<std::int64_t>(p.misscount.count() * 2 / 5, 200))};
        if (consistent(p) && p.misscount >= Ms{500}) {
            options.palette.push_back(p);
        }
    }
    Ms reboottime = options.initial().reboottime;
    for (const Parameters& p : options.palette) {
        reboottime = std::min(reboottime, p.reboottime);
    }
    options.stop_max = reboottime.count() * kMs * 9 / 10;
}

void draw_cluster(Prng& prng, const Overrides& over, Options& options) {
    // Small clusters most of the time: they reach more states a second.
    constexpr std::array<unsigned, 10> kFew{1, 2, 2, 3, 3, 3, 3, 4, 4, 5};
    unsigned nodes = kFew[prng.index(kFew.size())];
    if (prng.chance(1, 32)) {
        nodes = static_cast<unsigned>(prng.range(6, 16));
    }
    nodes = over.nodes != 0 ? over.nodes : nodes;
    const bool gaps = prng.chance(1, 6) && nodes <= kNodesMax / 2;
    unsigned number = 0;
    for (unsigned i = 0; i < nodes; ++i) {
        number += gaps && prng.chance(1, 3) ? 2U : 1U;
        options.numbers.emplace_back(number);
        options.weights.push_back(prng.chance(1, 6) ? 1000 : 1);
    }
    const std::int64_t spare = prng.chance(1, 2) ? 0 : prng.range(0, 8);
    options.slots_max = std::min(kNodesMax, number + static_cast<unsigned>(spare));
    constexpr std::array<unsigned, 6> kFiles{1, 3, 3, 3, 5, 5};
    options.files = kFiles[prng.index(kFiles.size())];
    options.files = over.files != 0 ? over.files : options.files;
    options.sector_size = prng.chance(1, 6) ? 4096 : 512;
    options.sector_size = over.sector_size != 0 ? over.sector_size : options.sector_size;
    options.interconnects = prng.chance(1, 4) ? 2 : 1;
    options.interconnects = over.interconnects != 0 ? over.interconnects : options.interconnects;
    options.fence = prng.coin() ? FenceMode::kReboot : FenceMode::kKillClients;
    options.fence_command = prng.chance(1, 6);
    for (unsigned i = 0; i < (options.files - 1) / 2; ++i) {
        if (prng.chance(1, 3)) {
            options.insane_files = static_cast<std::uint16_t>(options.insane_files |
                                                              (1U << prng.index(options.files)));
        }
    }
}

void draw_timings(Prng& prng, Options& options) {
    const SimTime beat = interval(options.initial()).count();
    options.network_delay_min = prng.range(20'000, beat / 200);
    options.network_delay_max = options.network_delay_min + prng.log_range(20'000, beat / 10);
    options.disk_latency_min = prng.range(50'000, beat / 200);
    options.disk_latency_max = options.disk_latency_min + prng.log_range(50'000, beat / 5);
    options.loss_permille = prng.chance(1, 3) ? static_cast<unsigned>(prng.range(1, 150)) : 0;
    options.duplicate_permille = prng.chance(1, 3) ? static_cast<unsigned>(prng.range(1, 200)) : 0;
    options.reorder_permille = prng.chance(1, 3) ? static_cast<unsigned>(prng.range(1, 200)) : 0;
    options.stall_permille = prng.chance(1, 4) ? static_cast<unsigned>(prng.range(1, 20)) : 0;
    options.split_permille = prng.chance(1, 2) ? static_cast<unsigned>(prng.range(50, 500)) : 0;
    const SimTime misscount = options.initial().misscount.count() * kMs;
    options.fault_phase = misscount * prng.range(2, 10);
    options.fault_gap = prng.log_range(misscount / 10, 2 * misscount);
}

/// In one of four runs something lies in wait. A stream of its own: the rest of the run is drawn as
/// it would be without.
void draw_ambushes(std::uint64_t seed, Options& options) {
    Prng prng{seed, 10};
    // With the interval at its longest, so that the bound is tight.
    const bool long_enough = interval(options.initial()) * 20 <= options.initial().misscount;
    options.final_eviction = prng.chance(1, 4) && long_enough;
    if (!prng.chance(1, 4)) {
        return;
    }
    constexpr std::array<FaultKind, 12> kMoves{FaultKind::kIsolate,
                                               FaultKind::kDeafen,
                                               FaultKind::kMute,
                                               FaultKind::kCutPair,
                                               FaultKind::kHangPath,
                                               FaultKind::kHangAll,
                                               FaultKind::kSlowPath,
                                               FaultKind::kErrorPath,
                                               FaultKind::kPauseDaemon,
                                               FaultKind::kKillDaemon,
                                               FaultKind::kCrashHost,
                                               FaultKind::kEvict};
    const std::int64_t places = prng.range(1, 2);
    for (std::int64_t i = 0; i < places; ++i) {
        Ambush ambush;
        ambush.place = static_cast<Place>(prng.index(kPlaces));
        const std::int64_t moves = prng.range(1, 3);
        for (std::int64_t m = 0; m < moves; ++m) {
            ambush.moves.push_back(kMoves[prng.index(kMoves.size())]);
        }
        ambush.permille = static_cast<unsigned>(prng.log_range(30, 1000));
        options.ambushes.push_back(ambush);
    }
}

/// Each run uses some kinds only: a run with all of them never gets anywhere interesting.
void draw_mix(Prng& prng, Options& options) {
    const std::uint64_t density = static_cast<std::uint64_t>(prng.range(1, 8));
    // Changes of the voting files are drawn by themselves.
    for (std::uint8_t& share : std::span{options.mix}.first(kFaultKinds - 1)) {
        const bool used = prng.chance(density, 8);
        const std::int64_t drawn = prng.range(1, 10);
        share = static_cast<std::uint8_t>(used ? drawn : 0);
    }
    constexpr std::array<FaultKind, 4> kHeavy{
        FaultKind::kPowerCut, FaultKind::kStopCluster, FaultKind::kHangFile, FaultKind::kWipeFile};
    for (const FaultKind kind : kHeavy) {
        std::uint8_t& share = options.mix[static_cast<std::size_t>(kind)];
        share = static_cast<std::uint8_t>(std::min<unsigned>(share, 2));
    }
}

void override_mix(const std::string& names, Options& options) {
    if (names.empty()) {
        return;
    }
    options.mix.fill(0);
    options.ambushes.clear();
    if (names == "none") {
        options.loss_permille = options.duplicate_permille = options.reorder_permille = 0;
        options.stall_permille = options.split_permille = 0;
        options.fence_command = false;
    }
    const std::string padded = "," + names + ",";
    for (std::size_t i = 0; i < kFaultKinds; ++i) {
        if (padded.find("," + std::string{kFaults[i].name} + ",") != std::string::npos) {
            options.mix[i] = 5;
        }
    }
}

/// From a stream of its own, so that what is drawn else for a seed stays as it is.
void draw_spare_files(const std::string& faults, Options& options) {
    Prng prng{options.seed, 8};
    std::uint8_t& share = options.mix[static_cast<std::size_t>(FaultKind::kVotingFiles)];
    if (faults.empty() && prng.chance(1, 3)) {
        share = static_cast<std::uint8_t>(prng.log_range(1, 12));
    }
    if (share != 0) {
        options.spare_files = static_cast<unsigned>(prng.range(2, 6));
    }
}

/// Sectors go bad one by one, and kill blocks have theirs: on some files, now and then on all.
void draw_bad_kill_files(Options& options) {
    Prng prng{options.seed, 14};
    if (prng.chance(1, 12)) {
        const auto all = static_cast<std::int64_t>((1U << options.files) - 1);
        options.bad_kill_files = static_cast<std::uint16_t>(prng.coin() ? all : prng.range(1, all));
    }
}

/// One run in four is directed at some rule, which is not broken: what is rare elsewhere is common
/// there. Two stop rules are rare even so. A kind or two of other faults among them reaches what no
/// run was directed at.
void draw_directed(Options& options) {
    Prng prng{options.seed, 13};
    if (!prng.chance(1, 4)) {
        return;
    }
    const unsigned which = prng.index(20);
    if (which == 0) {
        runs::slot_taken(options);
    } else if (which <= 2) {
        runs::wall_jumps(options);
    } else {
        const std::span<const Directed> rules = all_directed();
        direct(rules[prng.index(rules.size())].mutation, options);
    }
    for (unsigned strange = prng.index(3); strange != 0 && options.schedule.empty(); --strange) {
        options.mix[prng.index(options.mix.size())] = 2;
    }
    options.audit = true;
}

}  // namespace

Parameters Options::largest() const {
    Parameters most = palette.front();
    for (const Parameters& p : palette) {
        most.misscount = std::max(most.misscount, p.misscount);
        most.disktimeout = std::max(most.disktimeout, p.disktimeout);
        most.reboottime = std::max(most.reboottime, p.reboottime);
    }
    return most;
}

std::string Options::describe() const {
    std::array<char, 512> line{};
    const auto& p = initial();
    std::snprintf(line.data(),
                  line.size(),
                  "nodes=%u files=%u+%u sector=%zu interconnects=%u misscount=%lldms "
                  "disktimeout=%lldms reboottime=%lldms changes=%zu fence=%s%s loss=%u dup=%u "
                  "reorder=%u stall=%u split=%u insane=%x bad-kill=%x phase=%.1fs%s ",
                  nodes(),
                  files,
                  spare_files,
                  sector_size,
                  interconnects,
                  static_cast<long long>(p.misscount.count()),
                  static_cast<long long>(p.disktimeout.count()),
                  static_cast<long long>(p.reboottime.count()),
                  palette.size() - 1,
                  fence == FenceMode::kReboot ? "reboot" : "kill-clients",
                  fence_command ? "+command" : "",
                  loss_permille,
                  duplicate_permille,
                  reorder_permille,
                  stall_permille,
                  split_permille,
                  static_cast<unsigned>(insane_files),
                  static_cast<unsigned>(bad_kill_files),
                  static_cast<double>(fault_phase) / 1e9,
                  final_partition ? " final-partition" : "");
    std::string text = line.data() + std::to_string(schedule.size()) + " faults";
    for (std::size_t i = 0; i < kFaultKinds; ++i) {
        if (mix[i] != 0) {
            text += " " + std::string{kFaults[i].name} + "=" + std::to_string(mix[i]);
        }
    }
    for (const Ambush& ambush : ambushes) {
        text += " at " + std::string{kPlaceNames[static_cast<std::size_t>(ambush.place)]} + "/" +
                std::to_string(ambush.permille) + ":";
        for (const FaultKind move : ambush.moves) {
            text += " " + std::string{info(move).name};
        }
    }
    return text;
}

std::string Overrides::words() const {
    std::string text;
    const auto add = [&](const char* option, std::int64_t value) {
        text += value != 0 ? std::string{" --"} + option + " " + std::to_string(value) : "";
    };
    add("nodes", nodes);
    add("files", files);
    add("interconnects", interconnects);
    add("sector-size", static_cast<std::int64_t>(sector_size));
    add("misscount", misscount_ms);
    add("disktimeout", disktimeout_ms);
    add("reboottime", reboottime_ms);
    add("fault-phase", fault_phase_ms);
    if (directed != Mutation::kNone) {
        text += " --directed " + std::string{css::sim::directed(directed).name};
    }
    return text + (faults.empty() ? "" : " --faults " + faults);
}

Options draw_options(std::uint64_t seed, const Overrides& over) {
    Prng prng{seed, 1};
    Options options;
    options.seed = seed;
    draw_cluster(prng, over, options);
    draw_parameter_palette(prng, over, options);
    draw_timings(prng, options);
    draw_mix(prng, options);
    options.final_partition = prng.chance(1, 4);
    if (over.fault_phase_ms != 0) {
        options.fault_phase = over.fault_phase_ms * kMs;
    }
    options.audit = true;
    draw_ambushes(seed, options);
    override_mix(over.faults, options);
    draw_spare_files(over.faults, options);
    direct(over.directed, options);
    if (over.words().empty()) {
        draw_bad_kill_files(options);
        draw_directed(options);
    }
    if (options.schedule.empty()) {
        options.schedule = draw_schedule(options);
    }
    options.again = "--replay " + std::to_string(seed) + over.words();
    return options;
}

Options quiet_options(std::uint64_t seed, unsigned nodes, unsigned files, const Parameters& p) {
    Options options;
    options.seed = seed;
    for (unsigned i = 1; i <= nodes; ++i) {
        options.numbers.emplace_back(i);
        options.weights.push_back(1);
    }
    options.files = files;
    options.slots_max = std::min(kNodesMax, nodes + 4);
    options.palette.assign(1, p);
    options.stop_max = p.reboottime.count() * kMs * 9 / 10;
    options.network_delay_min = 50'000;
    options.network_delay_max = 300'000;
    options.disk_latency_min = 200'000;
    options.disk_latency_max = 1'500'000;
    options.fault_gap = p.misscount.count() * kMs;
    return options;
}

}  // namespace css::sim
