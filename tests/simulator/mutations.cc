#include "tests/simulator/mutations.h"

#include <array>
#include <cstdio>
#include <new>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/simulator/run.h"

namespace css::sim {
namespace {

/// In the order of the enumeration.
constexpr std::array<std::string_view, kMutationMax + 1> kNames{"none",
                                                                "guardian-told-liot",
                                                                "lease-by-published-only",
                                                                "lapsed-lease-renewed",
                                                                "lapse-after-news",
                                                                "cycle-time-after-write",
                                                                "cycle-without-read-back",
                                                                "read-before-write",
                                                                "majority-of-reachable",
                                                                "no-joining-lease",
                                                                "act-without-own-cycle",
                                                                "act-without-complete",
                                                                "publish-before-guardian",
                                                                "resetting-before-guardian",
                                                                "no-echo",
                                                                "echo-by-number",
                                                                "echo-dropped",
                                                                "replay-counts",
                                                                "datagram-before-standing",
                                                                "own-ballot-not-recovered",
                                                                "recover-highest-mbal",
                                                                "adopt-highest-mbal",
                                                                "new-ballot-clears-bal",
                                                                "own-value-always",
                                                                "later-instance-is-empty",
                                                                "ballot-by-reachable",
                                                                "ballot-before-standing",
                                                                "start-without-record",
                                                                "start-own-unreadable",
                                                                "start-while-slot-moves",
                                                                "no-carry-per-file",
                                                                "no-settle",
                                                                "silent-without-reads",
                                                                "leave-needs-fresh",
                                                                "joiners-no-clique",
                                                                "any-lost-link-splits",
                                                                "skip-wait",
                                                                "kill-block-without-unique",
                                                                "pending-by-published",
                                                                "e1-any-instance",
                                                                "e2-any-unique",
                                                                "e2-one-file",
                                                                "e3-network-only",
                                                                "e3-disk-only",
                                                                "e3-split-windows",
                                                                "e3-completion-times",
                                                                "e3-cached-reads",
                                                                "e3-without-listing",
                                                                "e3-never-active",
                                                                "e3-witness-left",
                                                                "e3-no-drop-alternative",
                                                                "e5-at-once",
                                                                "e6-any-read",
                                                                "no-promise",
                                                                "promise-by-write",
                                                                "files-without-joint",
                                                                "files-alone-at-once",
                                                                "files-alone-incomplete",
                                                                "files-alone-unpublished",
                                                                "files-no-floor",
                                                                "files-by-place",
                                                                "e3-reads-before-set"};

/// What a worker tells its parent; the seed is there also when the core aborted in it.
struct Progress {
    std::uint64_t seed = 0;
    bool caught = false;
    bool done = false;
    std::array<char, 200> how{};
};

void search(Mutation mutation, const Campaign& campaign, Progress& progress) {
    active_mutation = mutation;
    Counters counters;
    for (; progress.seed <= campaign.last && !progress.caught; ++progress.seed) {
        const RunResult result =
            run_seed(campaign.options(progress.seed), counters, TraceMode::kOff);
        if (result.verdict != Verdict::kPassed) {
            progress.caught = true;
            std::snprintf(progress.how.data(),
                          progress.how.size(),
                          "%s: %.120s",
                          result.invariant.c_str(),
                          result.what.c_str());
            break;
        }
    }
    progress.done = true;
}

bool run_one(Mutation mutation, const Campaign& campaign, Progress& progress) {
    progress = Progress{};
    progress.seed = campaign.first;
    std::fflush(stdout);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        if (std::freopen("/dev/null", "w", stderr) == nullptr) {
            _exit(1);
        }
        search(mutation, campaign, progress);
        _exit(0);
    }
    waitpid(pid, nullptr, 0);
    if (!progress.done) {
        progress.caught = true;
        std::snprintf(progress.how.data(), progress.how.size(), "the core aborts");
    }
    const std::uint64_t tried = progress.seed - campaign.first + (progress.caught ? 1 : 0);
    std::printf("%-26s  %-8s  %8llu  %s\n",
                std::string{name_of(mutation)}.c_str(),
                progress.caught ? "caught" : "MISSED",
                static_cast<unsigned long long>(tried),
                progress.how.data());
    return progress.caught;
}

}  // namespace

std::string_view name_of(Mutation mutation) {
    return kNames[static_cast<std::size_t>(mutation)];
}

std::optional<Mutation> mutation_named(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) {
            return static_cast<Mutation>(i);
        }
    }
    return std::nullopt;
}

int run_mutations(const Campaign& campaign) {
    void* memory =
        mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CSS_CHECK(memory != MAP_FAILED);
    Progress& progress = *new (memory) Progress;
    std::puts("mutation                    verdict      seeds  how");
    unsigned missed = 0;
    for (std::size_t i = 1; i < kNames.size(); ++i) {
        missed += run_one(static_cast<Mutation>(i), campaign, progress) ? 0U : 1U;
    }
    std::printf("%zu mutations, %u missed\n", kNames.size() - 1, missed);
    return missed == 0 ? kExitPassed : 1;
}

}  // namespace css::sim
