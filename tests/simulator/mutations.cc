#include "tests/simulator/mutations.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/simulator/directed.h"
#include "tests/simulator/run.h"

namespace css::sim {
namespace {

/// What a worker tells its parent; the seed is there also when the core aborted in it.
struct Progress {
    std::uint64_t tried = 0;
    std::uint64_t seed = 0;
    bool caught = false;
    bool done = false;
    double seconds = 0;
    std::array<char, 200> how{};
};

/// One mutation's search, in a process of its own.
struct Search {
    const Directed* rule = nullptr;
    Progress* progress = nullptr;
    pid_t pid = 0;
};

void search(const Directed& rule, const MutationRun& run, Progress& progress) {
    Overrides overrides;
    overrides.directed = rule.mutation;
    Counters counters;
    const auto begin = std::chrono::steady_clock::now();
    progress.seed = run.from.value_or(rule.first);
    while (progress.tried < run.tries && !progress.caught) {
        ++progress.tried;
        const Options options = draw_options(progress.seed, overrides);
        active_mutation = rule.mutation;
        const RunResult result = run_seed(options, counters, TraceMode::kOff);
        active_mutation = Mutation::kNone;
        progress.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        // It is caught when the same run passes with the rule.
        if (result.verdict != Verdict::kPassed &&
            run_seed(options, counters, TraceMode::kOff).verdict == Verdict::kPassed) {
            progress.caught = true;
            std::snprintf(progress.how.data(),
                          progress.how.size(),
                          "%s: %.120s",
                          result.invariant.c_str(),
                          result.what.c_str());
        } else {
            ++progress.seed;
        }
    }
    progress.done = true;
}

void start(Search& one, const MutationRun& run) {
    std::fflush(stdout);
    one.pid = fork();
    CSS_CHECK(one.pid >= 0);
    if (one.pid == 0) {
        if (std::freopen("/dev/null", "w", stderr) == nullptr) {
            _exit(1);
        }
        search(*one.rule, run, *one.progress);
        _exit(0);
    }
}

void wait_for_one(std::vector<Search>& searches) {
    const pid_t ended = waitpid(-1, nullptr, 0);
    for (Search& one : searches) {
        if (one.pid != ended) {
            continue;
        }
        one.pid = -1;
        if (!one.progress->done) {
            one.progress->caught = true;
            std::snprintf(one.progress->how.data(), one.progress->how.size(), "the core aborts");
        }
    }
}

void print_row(const Search& one) {
    const Progress& p = *one.progress;
    std::printf("%-26s  %-4s  %-7s %6llu  %8llu  %7.1f  %s\n",
                std::string{one.rule->name}.c_str(),
                std::string{one.rule->rule}.c_str(),
                p.caught ? "caught" : "MISSED",
                static_cast<unsigned long long>(p.tried),
                static_cast<unsigned long long>(p.seed),
                p.seconds,
                p.how.data());
    std::fflush(stdout);
}

std::vector<Search> chosen(const MutationRun& run) {
    std::vector<Search> searches;
    for (const Directed& rule : all_directed()) {
        const std::string name = "," + std::string{rule.name} + ",";
        if (!run.only.empty() && ("," + run.only + ",").find(name) == std::string::npos) {
            continue;
        }
        void* memory = mmap(
            nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CSS_CHECK(memory != MAP_FAILED);
        searches.push_back({.rule = &rule, .progress = new (memory) Progress});
    }
    return searches;
}

}  // namespace

std::optional<Mutation> mutation_named(std::string_view name) {
    for (const Directed& rule : all_directed()) {
        if (rule.name == name) {
            return rule.mutation;
        }
    }
    return std::nullopt;
}

int run_mutations(const MutationRun& run) {
    std::vector<Search> searches = chosen(run);
    std::puts("mutation                    rule  verdict  seeds      seed  seconds  caught by");
    std::size_t started = 0;
    unsigned running = 0;
    unsigned missed = 0;
    for (std::size_t printed = 0; printed < searches.size();) {
        while (started < searches.size() && running < run.jobs) {
            start(searches[started++], run);
            ++running;
        }
        wait_for_one(searches);
        --running;
        while (printed < searches.size() && searches[printed].pid == -1) {
            print_row(searches[printed]);
            missed += searches[printed].progress->caught ? 0U : 1U;
            ++printed;
        }
    }
    std::printf("%zu mutations, %u missed\n", searches.size(), missed);
    return missed == 0 ? kExitPassed : 1;
}

}  // namespace css::sim
