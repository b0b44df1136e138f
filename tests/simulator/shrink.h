#pragma once

#include <string>

#include "tests/simulator/attempt.h"
#include "tests/simulator/options.h"

namespace css::sim {

struct Shrunk {
    Options run;     ///< The smallest one found.
    Attempt first;   ///< How the run that was given ended.
    Attempt ending;  ///< How `run` ends: it breaks the same invariant, or fails the same check.
};

/// Makes a failing run smaller: fewer faults, machines and files, shorter faults, less chance. At
/// most about `tries` runs, each in a process of its own since the core may abort. A run that
/// passes comes back as it is.
Shrunk shrink(const Options& run, unsigned tries);

/// Prints what is left as a list, writes it to `save_as`, and says how to run it again.
int run_shrink(const Options& run, const std::string& save_as);

}  // namespace css::sim
