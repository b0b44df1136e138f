#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "tests/simulator/event_queue.h"
#include "tests/simulator/fault_kind.h"

namespace css::sim {

struct Options;

/// One entry of a run's schedule. Everything about it is fixed beforehand, so that leaving others
/// out does not change it; whether it can be done is decided by the state it meets.
struct FaultAction {
    SimTime at = 0;
    FaultKind kind = FaultKind::kHealLinks;
    unsigned a = 0;  ///< A node, by index.
    unsigned b = 0;  ///< Another.
    unsigned file = 0;
    SimTime duration = 0;
    std::uint64_t salt = 0;  ///< For what else must be chosen.
    friend bool operator==(const FaultAction&, const FaultAction&) = default;
};

/// By the options' seed, mix, gap and fault phase.
std::vector<FaultAction> draw_schedule(const Options& options);

/// `cut-pair machines 1 2 for 3.250 s`: what concerns this kind, machines and files from 1.
std::string describe(const FaultAction& action);

/// A run as text that read_schedule() takes back: all options, then the faults. It stays the same
/// run when later versions draw other things from a seed. One `key value...` a line; times are
/// seconds with nine digits; comments begin with '#'.
std::string write_schedule(const Options& options);
/// The error says what is wrong in which line, and what would be right.
Result<Options> read_schedule(const std::string& text);

}  // namespace css::sim
