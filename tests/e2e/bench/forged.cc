#include <algorithm>
#include <cstdio>

#include "tests/e2e/bench/table.h"
#include "tests/e2e/harness/wire.h"

namespace css::e2e::bench {
namespace {

struct Phase {
    std::size_t sent = 0;
    double seconds = 0;
    double cpu_percent = 0;
};

/// `per_second` zero: as fast as one core makes them.
Phase flood(Lab& lab, Forgery& forgery, Wire& attacker, std::size_t count, unsigned per_second) {
    Phase phase;
    const double cpu = cpu_millis(lab.daemon(1).pid());
    const Nanos begin = boottime_now();
    std::vector<Frame> batch(500);
    while (phase.sent < count) {
        std::ranges::generate(batch, [&forgery] { return forgery.next(); });
        phase.sent += attacker.send(batch);
        const Nanos due = per_second == 0
                              ? 0
                              : begin + static_cast<Nanos>(phase.sent) * 1'000'000'000 / per_second;
        lab.watch_for(milliseconds{std::max<Nanos>(0, due - boottime_now()) / 1'000'000});
    }
    phase.seconds = as_millis(boottime_now() - begin) / 1000;
    phase.cpu_percent = (cpu_millis(lab.daemon(1).pid()) - cpu) / 10 / phase.seconds;
    return phase;
}

void print(const char* name, const Phase& phase) {
    std::printf("%-24s %10zu %10.1f %12.0f %10.2f\n",
                name,
                phase.sent,
                phase.seconds,
                static_cast<double>(phase.sent) / std::max(phase.seconds, 1e-9),
                phase.cpu_percent);
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
    const double cpu = cpu_millis(lab.daemon(1).pid());
    const Nanos begin = boottime_now();
    lab.watch_for(std::chrono::seconds{10});
    const double quiet_seconds = as_millis(boottime_now() - begin) / 1000;
    print("none",
          {.seconds = quiet_seconds,
           .cpu_percent = (cpu_millis(lab.daemon(1).pid()) - cpu) / 10 / quiet_seconds});
    constexpr unsigned kRate = 20'000;
    const Phase steady = flood(lab, forgery, attacker, std::min(count, 10 * kRate), kRate);
    print("20,000 a second", steady);
    const Phase fast = flood(lab, forgery, attacker, count - std::min(count, 10 * kRate), 0);
    print("as fast as can be", fast);
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
