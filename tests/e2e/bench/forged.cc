#include <algorithm>
#include <cstdio>
#include <functional>

#include "tests/e2e/bench/table.h"
#include "tests/e2e/harness/wire.h"

namespace css::e2e::bench {
namespace {

/// Prints a line about node 1's daemon while `run`, which returns how many datagrams it sent.
void measure(Lab& lab, const char* name, const std::function<std::size_t()>& run) {
    const double cpu = cpu_millis(lab.daemon(1).pid());
    const Nanos begin = boottime_now();
    const std::size_t sent = run();
    const double seconds = as_millis(boottime_now() - begin) / 1000;
    std::printf("%-24s %10zu %10.1f %12.0f %10.2f\n",
                name,
                sent,
                seconds,
                static_cast<double>(sent) / seconds,
                (cpu_millis(lab.daemon(1).pid()) - cpu) / 10 / seconds);
    std::fflush(stdout);
}

}  // namespace

bool forged(unsigned count) {
    Lab lab{{.misscount = std::chrono::seconds{5},
             .disktimeout = std::chrono::seconds{20},
             .reboottime = std::chrono::seconds{1}}};
    if (!lab.form()) {
        std::puts("the cluster does not form");
        return false;
    }
    Wire to_victim{lab.network().namespace_of(1)};
    Forgery forgery{to_victim.capture(std::chrono::seconds{5}), 1};
    Wire attacker{lab.network().namespace_of(2)};
    std::printf(
        "%-24s %10s %10s %12s %10s\n", "to node 1", "datagrams", "seconds", "a second", "cssd, %");
    const Nanos begin = boottime_now();
    measure(lab, "none", [&lab] {
        lab.watch_for(std::chrono::seconds{10});
        return std::size_t{0};
    });
    constexpr unsigned kRate = 20'000;
    const std::size_t paced = std::min(count, 10 * kRate);
    measure(lab, "20,000 a second", [&] { return flood(lab, forgery, attacker, paced, kRate); });
    if (count > paced) {
        measure(lab, "as fast as can be", [&] {
            return flood(lab, forgery, attacker, count - paced, 0);
        });
    }
    lab.watch_for(std::chrono::seconds{6});
    unsigned believed = 0;
    for (const unsigned node : lab.everybody()) {
        for (const Told& event : lab.told_by(node)) {
            const bool after = event.time > begin;
            believed += after && (event.type == "evict" || event.type == "lease_lost" ||
                                  event.type == "decided" || event.type == "instance_started")
                            ? 1U
                            : 0U;
        }
    }
    std::printf("evictions, records, stops since: %u\n", believed);
    return believed == 0;
}

}  // namespace css::e2e::bench
