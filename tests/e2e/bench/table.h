#pragma once

#include <string>
#include <vector>

#include "tests/e2e/harness/lab.h"

/// The measured figures of `tools/bench`: real daemons, the harness of the end-to-end tests.
namespace css::e2e::bench {

/// Each prints its table and returns whether every figure is within its bound.
bool client();
bool failover(unsigned runs);
bool fencing(unsigned runs);
bool steady(milliseconds time);
bool forged(unsigned count);
bool loaded(milliseconds time);

/// Processor time so far, of all threads that the process has now.
double cpu_millis(pid_t pid);

/// Middle value; of an even count the higher of the two.
double median(std::vector<double> values);

}  // namespace css::e2e::bench
