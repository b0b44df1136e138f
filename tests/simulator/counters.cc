#include "tests/simulator/counters.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/simulator/trace.h"

namespace css::sim {
namespace {

template <std::size_t kSize>
void add_all(std::array<std::uint64_t, kSize>& a, const std::array<std::uint64_t, kSize>& b) {
    for (std::size_t i = 0; i < kSize; ++i) {
        a[i] += b[i];
    }
}

/// One row of `name count` pairs, folded at the width of a page.
template <std::size_t kSize, class NameOf>
void print_row(const char* title, const std::array<std::uint64_t, kSize>& counts, NameOf name_of) {
    std::string line = title;
    line.resize(16, ' ');
    for (std::size_t i = 0; i < kSize; ++i) {
        const std::string entry = std::string{name_of(i)} + " " + std::to_string(counts[i]) + "  ";
        if (line.size() + entry.size() > 110) {
            std::puts(line.c_str());
            line.assign(16, ' ');
        }
        line += entry;
    }
    std::puts(line.c_str());
}

/// Every array of counts: its title, and the names of its entries.
template <class Visit>
void each_row(const Counters& c, Visit visit) {
    visit("notices", c.notices, [](std::size_t i) {
        return name_of(static_cast<core::NoticeKind>(i));
    });
    visit("confirm rules", c.confirm_rules, [](std::size_t i) {
        return name_of(static_cast<core::ConfirmRule>(i));
    });
    visit("stop rules", c.stop_reasons, [](std::size_t i) {
        return name_of(static_cast<core::StopReason>(i));
    });
    visit("start refusals", c.start_refusals, [](std::size_t i) {
        return name_of(static_cast<core::StartRefusal>(i));
    });
    visit(
        "triggers", c.triggers, [](std::size_t i) { return name_of(static_cast<RecordCause>(i)); });
    constexpr std::array<const char*, 9> kResults{"done",
                                                  "unknown-node",
                                                  "conflict",
                                                  "not-member",
                                                  "busy",
                                                  "stopped",
                                                  "bad-files",
                                                  "files-not-ready",
                                                  "files-changed"};
    visit("requests", c.request_results, [&](std::size_t i) { return kResults[i]; });
    constexpr std::array<const char*, 3> kExits{"left", "fenced", "again"};
    visit("exits", c.exits, [&](std::size_t i) { return kExits[i]; });
    visit("faults", c.faults, [](std::size_t i) { return std::string{kFaults[i].name}; });
    constexpr std::array<const char*, kDiskEffects> kEffects{"landed-late",
                                                             "landed-orphaned",
                                                             "never-landed",
                                                             "answered-late",
                                                             "write-error",
                                                             "read-error",
                                                             "lost",
                                                             "torn",
                                                             "torn-in-units",
                                                             "misdirected",
                                                             "misread",
                                                             "stale",
                                                             "wiped",
                                                             "replaced",
                                                             "restored"};
    visit("on disks", c.disk_effects, [&](std::size_t i) { return kEffects[i]; });
}

}  // namespace

void add(Counters& a, const Counters& b) {
    add_all(a.notices, b.notices);
    add_all(a.confirm_rules, b.confirm_rules);
    add_all(a.stop_reasons, b.stop_reasons);
    add_all(a.start_refusals, b.start_refusals);
    add_all(a.triggers, b.triggers);
    add_all(a.request_results, b.request_results);
    add_all(a.faults, b.faults);
    add_all(a.disk_effects, b.disk_effects);
    add_all(a.exits, b.exits);
    a.runs += b.runs;
    a.steps += b.steps;
    a.events += b.events;
    a.cycles += b.cycles;
    a.datagrams += b.datagrams;
    a.simulated_ns += b.simulated_ns;
    a.host_fences += b.host_fences;
    a.completions_told += b.completions_told;
    a.recoveries_long += b.recoveries_long;
    a.partitions_checked += b.partitions_checked;
    a.evictions_checked += b.evictions_checked;
    a.out_of_scope += b.out_of_scope;
    a.recovery_permille_max = std::max(a.recovery_permille_max, b.recovery_permille_max);
}

void print(const Counters& c) {
    std::printf(
        "runs %llu  simulated hours %.1f  events %llu  core steps %llu  cycles %llu  "
        "datagrams %llu\n",
        static_cast<unsigned long long>(c.runs),
        static_cast<double>(c.simulated_ns) / 3.6e12,
        static_cast<unsigned long long>(c.events),
        static_cast<unsigned long long>(c.steps),
        static_cast<unsigned long long>(c.cycles),
        static_cast<unsigned long long>(c.datagrams));
    std::printf(
        "host fences %llu  completions told %llu  long recoveries %llu  partitions %llu  "
        "evictions %llu  out of scope %llu  "
        "longest recovery %.1f%% of its bound\n",
        static_cast<unsigned long long>(c.host_fences),
        static_cast<unsigned long long>(c.completions_told),
        static_cast<unsigned long long>(c.recoveries_long),
        static_cast<unsigned long long>(c.partitions_checked),
        static_cast<unsigned long long>(c.evictions_checked),
        static_cast<unsigned long long>(c.out_of_scope),
        static_cast<double>(c.recovery_permille_max) / 10);
    each_row(c, [](const char* title, const auto& counts, auto name_of) {
        print_row(title, counts, name_of);
    });
}

std::string text_of(const Counters& c) {
    std::string text;
    const auto add = [&text](const char* group, const std::string& name, std::uint64_t count) {
        text += std::string{group} + "\t" + name + "\t" + std::to_string(count) + "\n";
    };
    add("run", "simulated-ms", c.simulated_ns / 1'000'000);
    add("run", "events", c.events);
    add("run", "steps", c.steps);
    add("run", "cycles", c.cycles);
    add("run", "datagrams", c.datagrams);
    add("run", "host-fences", c.host_fences);
    add("run", "completions-told", c.completions_told);
    add("run", "long-recoveries", c.recoveries_long);
    add("run", "partitions", c.partitions_checked);
    add("most", "recovery-permille-of-bound", c.recovery_permille_max);
    each_row(c, [&](const char* title, const auto& counts, auto name_of) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            add(title, name_of(i), counts[i]);
        }
    });
    return text;
}

}  // namespace css::sim
