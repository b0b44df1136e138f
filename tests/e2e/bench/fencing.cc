#include <algorithm>
#include <csignal>
#include <cstdio>

#include "tests/e2e/bench/table.h"

namespace css::e2e::bench {
namespace {

/// Three nodes at the default time-outs, kill-clients, a client that acts on node 3.
class Cluster {
public:
    Cluster()
        : lab_({.misscount = std::chrono::seconds{30},
                .disktimeout = std::chrono::seconds{200},
                .reboottime = std::chrono::seconds{3},
                .fence_action = "kill-clients"}) {}

    /// False: it did not form.
    bool begin() {
        if (!lab_.form()) {
            return false;
        }
        lab_.start_client(3);
        const Nanos deadline = boottime_now() + nanos(kPatience);
        while (lab_.last_client_line(3) == 0 && boottime_now() < deadline) {
            lab_.watch_for(milliseconds{20});
        }
        // At another phase of the intervals each time.
        lab_.watch_for(milliseconds{boottime_now() / 1000 % 1000});
        return lab_.last_client_line(3) != 0;
    }
    Lab& lab() { return lab_; }
    /// Milliseconds from then to the end of the client; negative: it did not end.
    double client_gone(Nanos since) {
        return lab_.client(3).wait(kPatience) ? as_millis(boottime_now() - since) : -1;
    }
    /// Milliseconds from then until both survivors were told that the record without it is
    /// complete.
    double complete_after(Nanos since) {
        if (!lab_.wait_complete({1, 2}, since)) {
            return -1;
        }
        Nanos last = 0;
        for (const unsigned node : {1U, 2U}) {
            last = std::max(last, lab_.wait_told(node, complete({1, 2}), since)->time);
        }
        return as_millis(last - since);
    }

private:
    Lab lab_;
};

struct Row {
    const char* name;
    double bound_millis;
    std::vector<double> times{};
};

bool print(Row& row, unsigned runs) {
    std::erase_if(row.times, [](double time) { return time < 0; });
    if (row.times.empty()) {
        std::printf("%-44s no run succeeded\n", row.name);
        return false;
    }
    const double middle = median(row.times);
    const bool all = row.times.size() == runs;
    const bool good = all && middle <= row.bound_millis;
    std::printf("%-44s %4zu %9.1f %9.1f %9.1f %9.0f   %s\n",
                row.name,
                row.times.size(),
                *std::ranges::min_element(row.times),
                middle,
                *std::ranges::max_element(row.times),
                row.bound_millis,
                good ? "ok" : (all ? "TOO SLOW" : "RUNS FAILED"));
    return good;
}

struct Table {
    Row killed{"kill -9 of cssd: client gone", 50};
    Row replaced{"kill -9 of cssd: survivors complete", 150};
    Row guardian{"kill -9 of a guardian: client gone", 500};
    Row evicted{"eviction by hand: done, its stop confirmed", 500};
    bool sound = true;
};

void measure_death(Table& table) {
    Cluster cluster;
    if (!cluster.begin()) {
        return;
    }
    Lab& lab = cluster.lab();
    const Nanos killed_at = boottime_now();
    lab.daemon(3).signal(SIGKILL);
    table.killed.times.push_back(cluster.client_gone(killed_at));
    table.replaced.times.push_back(cluster.complete_after(killed_at));
    table.sound = table.sound && lab.violations().empty();
}

/// The evicted node joins again by itself; then it loses a guardian.
void measure_eviction(Table& table) {
    Cluster cluster;
    if (!cluster.begin()) {
        return;
    }
    Lab& lab = cluster.lab();
    const Nanos asked_at = boottime_now();
    const bool done = lab.crsctl(1, {"evict", "css", "node", "node3"}).ok();
    table.evicted.times.push_back(done ? as_millis(boottime_now() - asked_at) : -1);
    if (!lab.wait_complete({1, 2, 3}, asked_at)) {
        return;
    }
    lab.start_client(3);
    lab.watch_for(milliseconds{1500});
    for (const pid_t pid : lab.processes(3)) {
        if (program_of(pid) == "cssdmonitor") {
            const Nanos killed_at = boottime_now();
            (void)::kill(pid, SIGKILL);
            table.guardian.times.push_back(cluster.client_gone(killed_at));
        }
    }
    table.sound = table.sound && lab.violations().empty();
}

}  // namespace

bool fencing(unsigned runs) {
    std::printf(
        "Three nodes, misscount 30 s, disktimeout 200 s, reboottime 3 s, fence_action "
        "kill-clients.\n"
        "Times in ms from the fault on one node; its client acts when it happens.\n\n");
    Table table;
    for (unsigned i = 0; i < runs; ++i) {
        measure_death(table);
        measure_eviction(table);
    }
    std::printf("%-44s %4s %9s %9s %9s %9s\n", "", "runs", "least", "median", "most", "bound");
    bool good = true;
    for (Row* const row : {&table.killed, &table.replaced, &table.guardian, &table.evicted}) {
        good = print(*row, runs) && good;
    }
    if (!table.sound) {
        std::printf("A client acted after its node's eviction was complete.\n");
    }
    return good && table.sound;
}

}  // namespace css::e2e::bench
