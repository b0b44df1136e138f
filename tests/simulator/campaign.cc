#include "tests/simulator/campaign.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <new>
#include <vector>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/simulator/replay.h"
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
    std::atomic<std::int64_t> processor_ms{0};  ///< Of workers that ended.
    Counters counters;
};

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
    shared.processor_ms += std::int64_t{std::clock()} * 1000 / CLOCKS_PER_SEC;
    shared.done = true;
}

pid_t start_worker(const Campaign& campaign, Shared& shared) {
    std::fflush(stdout);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // Not longer than the campaign.
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
    std::int64_t processor_ms = 0;
    [[nodiscard]] unsigned failed() const { return safety + liveness + crashes; }
};

Totals total(const std::vector<Shared*>& shared, unsigned crashes) {
    Totals sum;
    sum.crashes = crashes;
    for (const Shared* one : shared) {
        sum.passed += one->passed;
        sum.safety += one->safety;
        sum.liveness += one->liveness;
        sum.processor_ms += one->processor_ms;
        sum.hash = sum.hash * 0x100000001b3U + one->hash;
    }
    return sum;
}

std::string how_ended(int status) {
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "exit " + std::to_string(WEXITSTATUS(status));
}

/// Waits for the workers, replacing those that crash. Returns the number of crashes.
unsigned supervise(const Campaign& campaign,
                   const std::vector<Shared*>& shared,
                   std::vector<pid_t> workers) {
    unsigned crashes = 0;
    const auto begin = std::chrono::steady_clock::now();
    auto next_line = begin;
    while (!std::all_of(
        shared.begin(), shared.end(), [](const Shared* s) { return s->done.load(); })) {
        int status = 0;
        const pid_t ended = waitpid(-1, &status, WNOHANG);
        for (std::size_t i = 0; i < workers.size() && ended > 0; ++i) {
            if (workers[i] != ended || shared[i]->done) {
                continue;
            }
            ++crashes;
            report_crash(campaign.options(shared[i]->seed), how_ended(status));
            shared[i]->seed += campaign.jobs;
            workers[i] = start_worker(campaign, *shared[i]);
        }
        const Totals now = total(shared, crashes);
        const bool late =
            campaign.seconds > 0 && std::chrono::steady_clock::now() - begin >
                                        std::chrono::duration<double>{campaign.seconds};
        if (now.failed() >= campaign.stop_after || late) {
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

bool write_results(const Campaign& campaign, const Totals& sum, const Counters& counters) {
    std::ofstream file{campaign.counts_file};
    file << "run\tseeds\t" << sum.passed + sum.failed() << "\nrun\tsafety\t" << sum.safety
         << "\nrun\tliveness\t" << sum.liveness << "\nrun\tcrashes\t" << sum.crashes
         << "\nrun\tprocessor-ms\t" << sum.processor_ms << '\n'
         << text_of(counters);
    return static_cast<bool>(file.flush());
}

}  // namespace

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
    if (const std::uint64_t left = campaign.last - campaign.first + 1 - sum.passed - sum.failed()) {
        std::printf("%llu seeds were not begun\n", static_cast<unsigned long long>(left));
    }
    if (!campaign.counts_file.empty() && !write_results(campaign, sum, counters)) {
        std::fprintf(stderr, "css_sim: cannot write %s\n", campaign.counts_file.c_str());
        return kExitUsage;
    }
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

}  // namespace css::sim
