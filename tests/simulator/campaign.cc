#include "tests/simulator/campaign.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/simulator/directed.h"
#include "tests/simulator/run.h"

namespace css::sim {
namespace {

/// What a worker and its parent share. The worker alone writes, but for `stop`.
struct Shared {
    std::atomic<std::uint64_t> seed{0};  ///< Under way, or the next one.
    std::atomic<std::uint64_t> passed{0};
    std::atomic<unsigned> safety{0};
    std::atomic<unsigned> liveness{0};
    std::atomic<std::uint64_t> hash{0};  ///< Of all hashes of this worker's seeds.
    std::atomic<bool> done{false};
    std::atomic<bool> stop{false};
    Counters counters;
};

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
    std::printf("  again: %s\n", run_again(options).c_str());
    std::fflush(stdout);
}

void work(const Campaign& campaign, Shared& shared) {
    while (shared.seed.load() <= campaign.last && !shared.stop.load()) {
        const std::uint64_t seed = shared.seed.load();
        const Options options = campaign.options(seed);
        const RunResult result = run_seed(options, shared.counters, TraceMode::kOff);
        shared.hash = shared.hash * 31 + result.hash;
        if (result.verdict == Verdict::kPassed) {
            ++shared.passed;
        } else {
            // The run is what its seed says: again, this time keeping the last steps.
            Counters unused;
            report(options, run_seed(options, unused, TraceMode::kKeep));
            ++(result.verdict == Verdict::kSafety ? shared.safety : shared.liveness);
        }
        shared.seed += campaign.jobs;
    }
    shared.done = true;
}

pid_t start_worker(const Campaign& campaign, Shared& shared) {
    std::fflush(stdout);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        work(campaign, shared);
        std::fflush(stdout);
        _exit(0);
    }
    return pid;
}

struct Totals {
    std::uint64_t passed = 0;
    std::uint64_t hash = 0;
    unsigned safety = 0;
    unsigned liveness = 0;
    unsigned crashes = 0;
    [[nodiscard]] unsigned failed() const { return safety + liveness + crashes; }
};

Totals total(const std::vector<Shared*>& shared, unsigned crashes) {
    Totals sum;
    sum.crashes = crashes;
    for (const Shared* one : shared) {
        sum.passed += one->passed;
        sum.safety += one->safety;
        sum.liveness += one->liveness;
        sum.hash = sum.hash * 0x100000001b3U + one->hash;
    }
    return sum;
}

/// Waits for the workers, replacing those that crash. Returns the number of crashes.
unsigned supervise(const Campaign& campaign,
                   const std::vector<Shared*>& shared,
                   std::vector<pid_t> workers) {
    unsigned crashes = 0;
    auto next_line = std::chrono::steady_clock::now();
    while (!std::all_of(
        shared.begin(), shared.end(), [](const Shared* s) { return s->done.load(); })) {
        int status = 0;
        const pid_t ended = waitpid(-1, &status, WNOHANG);
        for (std::size_t i = 0; i < workers.size() && ended > 0; ++i) {
            if (workers[i] != ended || shared[i]->done) {
                continue;
            }
            ++crashes;
            const Options options = campaign.options(shared[i]->seed);
            std::printf("\nCRASH seed %llu (%s %d)\n  options: %s\n  again: %s\n",
                        static_cast<unsigned long long>(options.seed),
                        WIFSIGNALED(status) ? "signal" : "exit",
                        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                        options.describe().c_str(),
                        run_again(options).c_str());
            shared[i]->seed += campaign.jobs;
            workers[i] = start_worker(campaign, *shared[i]);
        }
        const Totals now = total(shared, crashes);
        if (now.failed() >= campaign.stop_after) {
            for (Shared* one : shared) {
                one->stop = true;
            }
        }
        if (std::chrono::steady_clock::now() >= next_line) {
            std::fprintf(stderr,
                         "\r%llu passed, %u safety, %u liveness, %u crashes ",
                         static_cast<unsigned long long>(now.passed),
                         now.safety,
                         now.liveness,
                         now.crashes);
            next_line += std::chrono::seconds{2};
        }
        usleep(20'000);
    }
    for (const pid_t worker : workers) {
        waitpid(worker, nullptr, 0);
    }
    return crashes;
}

}  // namespace

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

Options Campaign::options(std::uint64_t seed) const {
    if (!fixed) {
        return draw_options(seed, overrides);
    }
    Options run = *fixed;
    run.seed = seed;
    run.again += " --replay " + std::to_string(seed);
    return run;
}

int run_campaign(const Campaign& campaign) {
    std::vector<Shared*> shared;
    std::vector<pid_t> workers;
    for (unsigned i = 0; i < campaign.jobs; ++i) {
        void* memory = mmap(
            nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CSS_CHECK(memory != MAP_FAILED);
        shared.push_back(new (memory) Shared);
        shared.back()->seed = campaign.first + i;
    }
    const auto begin = std::chrono::steady_clock::now();
    for (Shared* one : shared) {
        workers.push_back(start_worker(campaign, *one));
    }
    const unsigned crashes = supervise(campaign, shared, workers);
    const Totals sum = total(shared, crashes);
    Counters counters;
    for (const Shared* one : shared) {
        add(counters, one->counters);
    }
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf(
        "\nseeds %llu..%llu: %llu passed, %u safety, %u liveness, %u crashes in %.1f s, "
        "hash %016llx\n",
        static_cast<unsigned long long>(campaign.first),
        static_cast<unsigned long long>(campaign.last),
        static_cast<unsigned long long>(sum.passed),
        sum.safety,
        sum.liveness,
        sum.crashes,
        took,
        static_cast<unsigned long long>(sum.hash));
    print(counters);
    return sum.crashes != 0    ? kExitCrash
           : sum.safety != 0   ? kExitSafety
           : sum.liveness != 0 ? kExitLiveness
                               : kExitPassed;
}

int print_hashes(const Campaign& campaign) {
    Counters counters;
    int worst = kExitPassed;
    for (std::uint64_t seed = campaign.first; seed <= campaign.last; ++seed) {
        const RunResult result = run_seed(campaign.options(seed), counters, TraceMode::kOff);
        std::printf("%llu %016llx %s\n",
                    static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(result.hash),
                    title(result.verdict));
        worst = worst == kExitPassed ? exit_code(result.verdict) : worst;
    }
    return worst;
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

}  // namespace css::sim
