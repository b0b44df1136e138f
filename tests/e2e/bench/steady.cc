#include <cstdio>
#include <fstream>
#include <map>

#include "tests/e2e/bench/table.h"

namespace css::e2e::bench {
namespace {

constexpr double kMebibyte = 1024;  // In the kibibytes of /proc.

struct Usage {
    double cpu_millis = 0;
    double resident_mib = 0;
    double locked_mib = 0;
};

Usage usage_of(pid_t pid) {
    return {.cpu_millis = cpu_millis(pid),
            .resident_mib = static_cast<double>(kibibytes_of(pid, "VmRSS")) / kMebibyte,
            .locked_mib = static_cast<double>(kibibytes_of(pid, "VmLck")) / kMebibyte};
}

struct Row {
    std::string name;
    Usage used;  ///< CPU over the time measured.
    double cpu_percent_max = 0;
    double resident_mib_max = 0;
};

/// Per node: the daemon, and both guardians together.
std::vector<Row> measure(Lab& lab, milliseconds time) {
    std::map<pid_t, double> before;
    for (const unsigned node : lab.everybody()) {
        for (const pid_t pid : lab.processes(node)) {
            before[pid] = cpu_millis(pid);
        }
    }
    lab.watch_for(time);
    std::vector<Row> rows;
    for (const unsigned node : lab.everybody()) {
        Row daemon{node_name(node) + " cssd", {}, 0.2, 24};
        Row guardians{node_name(node) + " guardians", {}, 0.05, 8};
        for (const pid_t pid : lab.processes(node)) {
            Usage& sum = pid == lab.daemon(node).pid() ? daemon.used : guardians.used;
            const Usage now = usage_of(pid);
            sum.cpu_millis += now.cpu_millis - before[pid];
            sum.resident_mib += now.resident_mib;
            sum.locked_mib += now.locked_mib;
        }
        rows.push_back(daemon);
        rows.push_back(guardians);
    }
    return rows;
}

}  // namespace

double cpu_millis(pid_t pid) {
    double total = 0;
    for (const auto& thread : threads_of(pid)) {
        std::ifstream file{thread / "schedstat"};
        double nanoseconds = 0;
        file >> nanoseconds;
        total += nanoseconds / 1e6;
    }
    return total;
}

bool steady(milliseconds time) {
    Lab lab{{.misscount = std::chrono::seconds{30},
             .disktimeout = std::chrono::seconds{200},
             .reboottime = std::chrono::seconds{3}}};
    if (!lab.form()) {
        std::printf("the cluster does not form\n%s", lab.story().c_str());
        return false;
    }
    std::printf(
        "Three nodes, three voting files, default time-outs, %lld s of nothing happening.\n\n"
        "%-18s %9s %9s   %9s %9s   %9s\n",
        static_cast<long long>(time.count() / 1000),
        "process",
        "cpu %",
        "at most",
        "RSS MiB",
        "at most",
        "locked");
    bool all_good = true;
    for (const Row& row : measure(lab, time)) {
        const double percent = 100 * row.used.cpu_millis / static_cast<double>(time.count());
        const bool good =
            percent <= row.cpu_percent_max && row.used.resident_mib <= row.resident_mib_max;
        std::printf("%-18s %9.3f %9.2f   %9.1f %9.0f   %9.1f  %s\n",
                    row.name.c_str(),
                    percent,
                    row.cpu_percent_max,
                    row.used.resident_mib,
                    row.resident_mib_max,
                    row.used.locked_mib,
                    good ? "ok" : "TOO MUCH");
        all_good = all_good && good;
    }
    return all_good;
}

}  // namespace css::e2e::bench
