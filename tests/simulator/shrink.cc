#include "tests/simulator/shrink.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include "tests/simulator/attempt.h"
#include "tests/simulator/campaign.h"
#include "tests/simulator/replay.h"

namespace css::sim {
namespace {

/// Other random draws under the same schedule, when the first ones do not fail any more: leaving
/// out a fault moves everything that is drawn after it.
constexpr std::uint64_t kSeedsTried = 3;

class Shrinker {
public:
    Shrinker(const Options& run, unsigned tries)
        : best_(run), target_(attempt(run)), runs_left_(tries) {
        best_.mix.fill(0);  // They are drawn already.
    }

    [[nodiscard]] const Options& best() const { return best_; }
    [[nodiscard]] const Attempt& target() const { return target_; }

    void shrink() {
        end_with_the_violation();
        bool smaller = true;
        while (smaller) {
            smaller = drop_faults();
            smaller = drop_machines() || smaller;
            smaller = simplify() || smaller;
        }
        shorten_faults();
        end_with_the_violation();
    }

private:
    /// Takes the candidate when it fails in the same way.
    bool take(Options candidate) {
        const std::string text = write_schedule(candidate);
        if (text == write_schedule(best_)) {
            return false;
        }
        for (std::uint64_t i = 0; i < kSeedsTried && runs_left_ != 0; ++i) {
            candidate.seed = best_.seed + i;
            --runs_left_;
            const Attempt result = attempt(candidate);
            if (result.same_failure(target_)) {
                best_ = candidate;
                target_ = result;
                std::fprintf(stderr,
                             "\r%zu faults on %u machines, %u files; %u runs left   ",
                             best_.schedule.size(),
                             best_.nodes(),
                             best_.files,
                             runs_left_);
                return true;
            }
        }
        return false;
    }

    /// Nothing after the violation matters.
    void end_with_the_violation() {
        Options candidate = best_;
        std::erase_if(candidate.schedule, [&](const FaultAction& f) { return f.at > target_.at; });
        take(candidate);
        candidate = best_;
        if (target_.at < candidate.fault_phase) {
            candidate.fault_phase = target_.at + 1;
            for (FaultAction& fault : candidate.schedule) {
                fault.duration = std::min(fault.duration, candidate.fault_phase - fault.at);
            }
            take(candidate);
        }
    }

    bool drop_faults() {
        bool any = false;
        for (std::size_t chunk = best_.schedule.size(); chunk != 0; chunk /= 2) {
            for (std::size_t at = 0; at < best_.schedule.size();) {
                Options candidate = best_;
                const auto first = candidate.schedule.begin() + static_cast<std::ptrdiff_t>(at);
                const std::size_t count = std::min(chunk, candidate.schedule.size() - at);
                candidate.schedule.erase(first, first + static_cast<std::ptrdiff_t>(count));
                if (take(candidate)) {
                    any = true;
                } else {
                    at += count;
                }
            }
        }
        return any;
    }

    bool drop_machines() {
        bool any = false;
        for (unsigned victim = best_.nodes(); victim-- > 0 && best_.nodes() > 1;) {
            Options candidate = best_;
            candidate.numbers.erase(candidate.numbers.begin() + victim);
            candidate.weights.erase(candidate.weights.begin() + victim);
            std::erase_if(candidate.schedule, [&](const FaultAction& fault) {
                const FaultScope scope = info(fault.kind).scope;
                return (fault.a == victim && scope != FaultScope::kCluster &&
                        scope != FaultScope::kFile) ||
                       (fault.b == victim && scope == FaultScope::kPair);
            });
            for (FaultAction& fault : candidate.schedule) {
                fault.a -= fault.a > victim || fault.a == candidate.nodes() ? 1U : 0U;
                fault.b -= fault.b > victim || fault.b == candidate.nodes() ? 1U : 0U;
            }
            any = take(candidate) || any;
        }
        return any;
    }

    static void forget_missing_files(Options& o) {
        std::erase_if(o.schedule, [&](const FaultAction& fault) {
            const FaultScope scope = info(fault.kind).scope;
            return fault.file >= o.places() &&
                   (scope == FaultScope::kPath || scope == FaultScope::kFile);
        });
        for (FaultAction& fault : o.schedule) {
            fault.file = std::min(fault.file, o.places() - 1);
        }
    }

    /// One option after the other at its plainest.
    bool simplify() {
        using Change = void (*)(Options&);
        constexpr std::array<Change, 16> kChanges{
            [](Options& o) { o.final_partition = false; },
            [](Options& o) { o.stall_permille = 0; },
            [](Options& o) { o.split_permille = 0; },
            [](Options& o) { o.loss_permille = 0; },
            [](Options& o) { o.duplicate_permille = 0; },
            [](Options& o) { o.reorder_permille = 0; },
            [](Options& o) { o.insane_files = 0; },
            [](Options& o) { o.fence_command = false; },
            [](Options& o) { o.fence = FenceMode::kReboot; },
            [](Options& o) { o.palette.resize(1); },
            [](Options& o) { o.interconnects = 1; },
            [](Options& o) { o.sector_size = 512; },
            [](Options& o) { std::fill(o.weights.begin(), o.weights.end(), 1U); },
            [](Options& o) {
                for (unsigned i = 0; i < o.nodes(); ++i) {
                    o.numbers[i] = NodeNumber::from_index(i);
                }
                o.slots_max = o.nodes();
            },
            [](Options& o) {
                o.files -= o.files > 1 ? 2 : 0;
                o.insane_files =
                    static_cast<std::uint16_t>(o.insane_files & ((1U << o.files) - 1U));
                forget_missing_files(o);
            },
            [](Options& o) {
                o.spare_files -= o.spare_files > 0 ? 1 : 0;
                forget_missing_files(o);
            }};
        bool any = false;
        for (const Change change : kChanges) {
            Options candidate = best_;
            change(candidate);
            any = take(candidate) || any;
        }
        return any;
    }

    /// Halves what can be halved, and rounds times as far as they allow, to be read more easily.
    void shorten_faults() {
        for (std::size_t i = 0; i < best_.schedule.size(); ++i) {
            Options candidate = best_;
            candidate.schedule[i].duration /= 2;
            while (candidate.schedule[i].duration > kMs && take(candidate)) {
                candidate.schedule[i].duration /= 2;
            }
            round(&FaultAction::duration, i);
            round(&FaultAction::at, i);
        }
    }

    void round(SimTime FaultAction::*time, std::size_t i) {
        for (const SimTime unit : {1000 * kMs, 100 * kMs, 10 * kMs, kMs}) {
            Options candidate = best_;
            SimTime& rounded = candidate.schedule[i].*time;
            rounded -= rounded % unit;
            if (rounded != 0 && take(candidate)) {
                return;
            }
        }
    }

    static constexpr SimTime kMs = 1'000'000;
    Options best_;
    Attempt target_;
    unsigned runs_left_;
};

}  // namespace

Shrunk shrink(const Options& run, unsigned tries) {
    Shrinker shrinker{run, tries};
    const Attempt first = shrinker.target();
    if (!first.passed()) {
        shrinker.shrink();
    }
    return {.run = shrinker.best(), .first = first, .ending = shrinker.target()};
}

int run_shrink(const Options& run, const std::string& save_as) {
    constexpr unsigned kTries = 2000;
    Shrunk shrunk = shrink(run, kTries);
    if (shrunk.first.passed()) {
        std::fprintf(stderr, "css_sim: this run passes; there is nothing to shrink\n");
        return kExitUsage;
    }
    shrunk.run.again = "--schedule " + save_as;
    std::printf("\nfrom %zu faults on %u machines and %u files to %zu on %u and %u\n",
                run.schedule.size(),
                run.nodes(),
                run.files,
                shrunk.run.schedule.size(),
                shrunk.run.nodes(),
                shrunk.run.files);
    std::printf("at first: %s\nnow:      %s\noptions:  %s\n",
                shrunk.first.describe().c_str(),
                shrunk.ending.describe().c_str(),
                shrunk.run.describe().c_str());
    for (const FaultAction& fault : shrunk.run.schedule) {
        std::printf("  %13.6f  %s\n", static_cast<double>(fault.at) / 1e9, describe(fault).c_str());
    }
    std::ofstream file{save_as};
    if (!(file << write_schedule(shrunk.run)).flush()) {
        std::fprintf(stderr, "css_sim: cannot write %s\n", save_as.c_str());
        return kExitUsage;
    }
    std::printf("again: %s\n", run_again(shrunk.run).c_str());
    return shrunk.first.exit_code();
}

}  // namespace css::sim
