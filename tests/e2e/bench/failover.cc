#include <algorithm>
#include <cstdio>
#include <functional>

#include "cssd/base/check.h"
#include "tests/e2e/bench/table.h"

namespace css::e2e::bench {
namespace {

constexpr milliseconds kMisscount{1000};
constexpr milliseconds kReboottime{200};

/// A fault is made; returns when, and who is left. Nothing: the cluster did not even form.
struct Fault {
    Nanos when = 0;
    Members left;
};
using MakeFault = std::function<Fault(Lab&)>;

/// Milliseconds from the fault until every survivor was told that the record is complete; negative
/// when that did not happen.
double run_once(const LabOptions& options, const MakeFault& make_fault) {
    Lab lab{options};
    if (!lab.form()) {
        return -1;
    }
    // Away from the start, and at another phase of the intervals each time.
    lab.watch_for(options.misscount / 2 + milliseconds{boottime_now() / 1000 % 100});
    const Fault fault = make_fault(lab);
    if (!lab.wait_complete(fault.left, fault.when)) {
        std::fprintf(stderr, "%s", lab.story().c_str());
        return -1;
    }
    Nanos last = 0;
    for (const unsigned node : fault.left) {
        last = std::max(last, lab.wait_told(node, complete(fault.left), fault.when)->time);
    }
    if (!lab.violations().empty()) {
        std::fprintf(stderr, "%s\n", lab.violations().front().c_str());
        return -1;
    }
    return as_millis(last - fault.when);
}

struct Row {
    const char* name;
    LabOptions options;
    MakeFault make_fault;
    double bound_millis;
    const char* bound;
};

bool print_row(const Row& row, unsigned runs) {
    std::vector<double> times;
    for (unsigned i = 0; i < runs; ++i) {
        if (const double time = run_once(row.options, row.make_fault); time >= 0) {
            times.push_back(time);
        }
    }
    if (times.empty()) {
        std::printf("%-24s no run succeeded\n", row.name);
        return false;
    }
    const double middle = median(times);
    const bool good = times.size() == runs && middle <= row.bound_millis;
    std::printf("%-24s %4zu %9.1f %9.1f %9.1f %8.3f   %-20s %s\n",
                row.name,
                times.size(),
                *std::ranges::min_element(times),
                middle,
                *std::ranges::max_element(times),
                middle / static_cast<double>(row.options.misscount.count()),
                row.bound,
                good ? "ok" : (times.size() < runs ? "RUNS FAILED" : "TOO SLOW"));
    (void)std::fflush(stdout);
    return good;
}

Fault crash(Lab& lab, unsigned node) {
    Members left = lab.everybody();
    left.erase(node);
    return {.when = lab.power_off(node), .left = left};
}

Fault cut(Lab& lab) {
    const Nanos when = boottime_now();
    lab.network().part({3}, {1, 2});
    return {.when = when, .left = {1, 2}};
}

Fault stop(Lab& lab) {
    const Nanos when = boottime_now();
    (void)lab.crsctl(3, {"stop", "css"});
    return {.when = when, .left = {1, 2}};
}

std::vector<Row> rows() {
    const LabOptions small{
        .misscount = kMisscount, .disktimeout = 5 * kMisscount, .reboottime = kReboottime};
    const LabOptions defaults{.misscount = std::chrono::seconds{30},
                              .disktimeout = std::chrono::seconds{200},
                              .reboottime = std::chrono::seconds{3}};
    return {
        {"crash", small, [](Lab& lab) { return crash(lab, 3); }, 1100, "1.10 (model 1.03)"},
        {"crash of the leader", small, [](Lab& lab) { return crash(lab, 1); }, 1e9, "-"},
        {"clean 2:1 cut", small, cut, 1300, "1.30 (model 1.19)"},
        {"clean stop", small, stop, 100, "100 ms"},
        {"clean stop, defaults", defaults, stop, 100, "100 ms"},
    };
}

}  // namespace

bool failover(unsigned runs) {
    std::printf(
        "Three nodes, three voting files on loop devices. Time from the fault until every\n"
        "survivor was told that the new membership is complete, in ms; the ratio is the\n"
        "median to misscount (%lld ms, reboottime %lld ms; defaults: 30 s, 3 s).\n\n",
        static_cast<long long>(kMisscount.count()),
        static_cast<long long>(kReboottime.count()));
    std::printf("%-24s %4s %9s %9s %9s %8s   %-20s\n",
                "fault",
                "runs",
                "least",
                "median",
                "most",
                "ratio",
                "bound (median)");
    bool good = true;
    for (const Row& row : rows()) {
        good = print_row(row, runs) && good;
    }
    return good;
}

double median(std::vector<double> values) {
    CSS_CHECK(!values.empty());
    std::ranges::sort(values);
    return values[values.size() / 2];
}

}  // namespace css::e2e::bench
