#pragma once

namespace css::sim {

/// Prints how fast the model runs: simulated cluster-hours per second of one core.
int run_bench();
/// Prints the table of latencies: what happens, and how long until everybody is told.
int run_latency(unsigned runs);

}  // namespace css::sim
