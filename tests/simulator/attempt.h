#pragma once

#include <cstdint>
#include <string>

#include "tests/simulator/options.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// How a run ended that was tried in a process of its own.
struct Attempt {
    bool crashed = false;
    Verdict verdict = Verdict::kPassed;
    std::string invariant;  ///< Broken one; of a crash: the check that failed, with its place.
    std::string what;
    SimTime at = 0;  ///< Of a crash: not known, the end of time.

    [[nodiscard]] bool passed() const { return !crashed && verdict == Verdict::kPassed; }
    /// The same check, or the same invariant for the same reason: the words before any number.
    [[nodiscard]] bool same_failure(const Attempt& other) const;
    [[nodiscard]] std::string describe() const;
    [[nodiscard]] int exit_code() const;
};

Attempt attempt(const Options& options);
/// The last lines of the trace of a run that crashes, and what it said then.
std::string last_words(const Options& options);

}  // namespace css::sim
