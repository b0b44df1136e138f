#include "tests/simulator/replay.h"

#include <csignal>
#include <cstdio>
#include <fstream>

#include "cssd/base/mutation.h"
#include "tests/simulator/attempt.h"
#include "tests/simulator/campaign.h"
#include "tests/simulator/commit.h"
#include "tests/simulator/directed.h"
#include "tests/simulator/timeline.h"

namespace css::sim {

std::string run_again(const Options& options) {
    std::string command = "css_sim " + options.again;
    if (active_mutation != Mutation::kNone) {
        command += " --mutation " + std::string{directed(active_mutation).name};
    }
    return command;
}

int exit_code(Verdict verdict) {
    switch (verdict) {
        case Verdict::kPassed: return kExitPassed;
        case Verdict::kSafety: return kExitSafety;
        case Verdict::kLiveness: return kExitLiveness;
    }
    return kExitUsage;
}

const char* title(Verdict verdict) {
    switch (verdict) {
        case Verdict::kPassed: return "passed";
        case Verdict::kSafety: return "SAFETY VIOLATION";
        case Verdict::kLiveness: return "LIVENESS VIOLATION";
    }
    return "?";
}

void report(const Options& options, const RunResult& result) {
    std::printf("\n%s seed %llu at %.6f s: %s: %s\n  options: %s\n",
                title(result.verdict),
                static_cast<unsigned long long>(options.seed),
                static_cast<double>(result.at) / 1e9,
                result.invariant.c_str(),
                result.what.c_str(),
                options.describe().c_str());
    for (const std::string& line : result.last_lines) {
        std::printf("  %s\n", line.c_str());
    }
    std::printf("  again: %s\n  commit: %s\n", run_again(options).c_str(), kCommit);
    std::fflush(stdout);
}

void report_crash(const Options& options, const std::string& how) {
    std::printf("\nCRASH seed %llu (%s)\n  options: %s\n%s  again: %s\n  commit: %s\n",
                static_cast<unsigned long long>(options.seed),
                how.c_str(),
                options.describe().c_str(),
                last_words(options).c_str(),
                run_again(options).c_str(),
                kCommit);
    std::fflush(stdout);
}

int replay(const Options& options) {
    std::printf("seed %llu: %s\n",
                static_cast<unsigned long long>(options.seed),
                options.describe().c_str());
    std::fflush(stdout);
    Counters counters;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // So that a crash leaves its last lines.
    const RunResult result = run_seed(options, counters, TraceMode::kPrint);
    if (result.verdict != Verdict::kPassed) {
        report(options, result);
    }
    std::printf("seed %llu %s, hash %016llx\n",
                static_cast<unsigned long long>(options.seed),
                title(result.verdict),
                static_cast<unsigned long long>(result.hash));
    return exit_code(result.verdict);
}

namespace {

// For the handler of an abort, which comes from a check in this very thread.
Timeline* drawn = nullptr;
const char* drawn_path = nullptr;

bool write_page() {
    std::ofstream file{drawn_path};
    return static_cast<bool>((file << drawn->page()).flush());
}

void on_abort(int /*signal*/) {
    drawn->crash();
    write_page();
}

}  // namespace

int draw(const Options& options, const std::string& page_path) {
    Timeline timeline{options};
    drawn = &timeline;
    drawn_path = page_path.c_str();
    std::signal(SIGABRT, on_abort);
    Counters counters;
    const RunResult result = run_seed(options, counters, TraceMode::kOff, &timeline);
    std::signal(SIGABRT, SIG_DFL);
    if (!write_page()) {
        std::fprintf(stderr, "css_sim: cannot write %s\n", page_path.c_str());
        return kExitUsage;
    }
    std::printf("seed %llu %s, drawn in %s\n",
                static_cast<unsigned long long>(options.seed),
                title(result.verdict),
                page_path.c_str());
    return exit_code(result.verdict);
}

}  // namespace css::sim
