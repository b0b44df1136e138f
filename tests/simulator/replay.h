#pragma once

#include <string>

#include "tests/simulator/options.h"
#include "tests/simulator/run.h"

namespace css::sim {

/// One run with its whole trace on standard output, a line per transition.
int replay(const Options& options);
/// One run as a page that draws it (timeline.h), also when the core crashes.
int draw(const Options& options, const std::string& page_path);

/// Of a violation: seed, invariant, options, the last steps, how to run it again, the commit.
void report(const Options& options, const RunResult& result);
/// The same of a run in which the core crashed; `how` it ended.
void report_crash(const Options& options, const std::string& how);

/// The command that runs it again.
std::string run_again(const Options& options);
int exit_code(Verdict verdict);
/// `SAFETY VIOLATION`
const char* title(Verdict verdict);

}  // namespace css::sim
