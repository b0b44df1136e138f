#include "tests/simulator/schedule.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include "tests/simulator/options.h"
#include "tests/simulator/prng.h"

namespace css::sim {
namespace {

FaultKind draw_kind(Prng& prng, const Options& options, unsigned shares) {
    std::uint64_t drawn = prng.below(shares);
    std::size_t kind = 0;
    while (drawn >= options.mix[kind]) {
        drawn -= options.mix[kind++];
    }
    return static_cast<FaultKind>(kind);
}

/// As many as their share, from a stream of their own.
void draw_file_changes(const Options& options, std::vector<FaultAction>& schedule) {
    Prng prng{options.seed, 9};
    for (unsigned i = options.mix[static_cast<std::size_t>(FaultKind::kVotingFiles)]; i > 0; --i) {
        FaultAction action;
        action.at = prng.range(0, options.fault_phase - 1);
        action.kind = FaultKind::kVotingFiles;
        action.a = prng.index(options.nodes());
        action.b = action.a;
        action.salt = prng.next();
        schedule.push_back(action);
    }
}

}  // namespace

std::vector<FaultAction> draw_schedule(const Options& options) {
    std::vector<FaultAction> schedule;
    Prng prng{options.seed, 5};
    unsigned shares = 0;
    for (const std::uint8_t share : std::span{options.mix}.first(kFaultKinds - 1)) {
        shares += share;
    }
    const SimTime misscount = Duration{options.initial().misscount}.count();
    const SimTime end = options.fault_phase;
    SimTime time = 0;
    while (shares != 0) {
        time += prng.log_range(std::max<SimTime>(1, options.fault_gap / 16), options.fault_gap * 2);
        if (time >= end) {
            break;
        }
        FaultAction action;
        action.at = time;
        action.kind = draw_kind(prng, options, shares);
        action.a = prng.index(options.nodes());
        action.b = prng.index(options.nodes());
        action.file = prng.index(options.places());
        const SimTime longest = prng.chance(1, 8) ? 8 * misscount : 2 * misscount;
        action.duration = std::min(prng.log_range(misscount / 50, longest), end - time);
        action.salt = prng.next();
        schedule.push_back(action);
    }
    draw_file_changes(options, schedule);
    return schedule;
}

std::string describe(const FaultAction& action) {
    const FaultInfo& kind = info(action.kind);
    const std::string a = std::to_string(action.a + 1);
    const std::string file = " file " + std::to_string(action.file + 1);
    std::string text{kind.name};
    switch (kind.scope) {
        case FaultScope::kCluster: break;
        case FaultScope::kNode: text += " machine " + a; break;
        case FaultScope::kPair:
            text += " machines " + a + " " + std::to_string(action.b + 1);
            break;
        case FaultScope::kPath: text += " machine " + a + file; break;
        case FaultScope::kFile: text += file; break;
    }
    std::array<char, 40> length{};
    std::snprintf(
        length.data(), length.size(), " for %.3f s", static_cast<double>(action.duration) / 1e9);
    return text + length.data();
}

}  // namespace css::sim
