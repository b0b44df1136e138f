#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "tests/simulator/counters.h"
#include "tests/simulator/options.h"
#include "tests/simulator/trace.h"
#include "tests/simulator/world.h"

namespace css::sim {

struct RunResult {
    Verdict verdict = Verdict::kPassed;
    std::string invariant;
    std::string what;
    SimTime at = 0;
    std::uint64_t hash = 0;
    std::deque<std::string> last_lines;  ///< With TraceMode::kKeep.
};

/// One whole run: faults, recovery, and perhaps a fixed partition; all checks. `timeline`, if any,
/// looks on.
RunResult run_seed(const Options& options,
                   Counters& counters,
                   TraceMode trace,
                   Timeline* timeline = nullptr);

}  // namespace css::sim
