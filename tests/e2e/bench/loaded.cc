#include <algorithm>
#include <cstdio>

#include "tests/e2e/bench/table.h"

namespace css::e2e::bench {
namespace {

/// Busy processes, two a processor on a machine of two, and one that writes to the file system of
/// the voting files and waits for it, all the time.
std::vector<Child> make_load(const std::string& directory) {
    constexpr unsigned kBusy = 4;
    std::vector<Child> load;
    for (unsigned i = 0; i < kBusy; ++i) {
        load.emplace_back(Words{"sh", "-c", "while :; do :; done"}, Place{});
    }
    const std::string write =
        "while :; do dd if=/dev/zero of='" + directory + "/load' bs=1M count=256 conv=fsync; done";
    load.emplace_back(Words{"sh", "-c", write}, Place{});
    return load;
}

unsigned count(Lab& lab, Nanos since, const std::string& type) {
    unsigned found = 0;
    for (const unsigned node : lab.everybody()) {
        const auto& all = lab.told_by(node);
        found += static_cast<unsigned>(std::count_if(all.begin(), all.end(), [&](const Told& e) {
            return e.time > since && e.type == type;
        }));
    }
    return found;
}

bool measure(const char* scheduling, milliseconds misscount, milliseconds time) {
    Lab lab{{.misscount = misscount,
             .disktimeout = 4 * misscount,
             .reboottime = misscount / 5,
             .more_configuration =
                 scheduling == std::string_view{"ordinary"} ? "realtime_priority = 0\n" : ""}};
    if (!lab.form()) {
        std::printf("the cluster does not form\n%s", lab.story().c_str());
        return false;
    }
    const std::vector<Child> load = make_load(lab.directory());
    const Nanos begin = boottime_now();
    lab.watch_for(time);
    const unsigned suspicions = count(lab, begin, "suspect");
    const unsigned warnings = count(lab, begin, "file_warning");
    const unsigned losses = count(lab, begin, "lease_lost") + count(lab, begin, "evict");
    const bool good = suspicions + losses == 0;
    std::printf("%-10s %9lld ms %8lld s %12u %14u %17u  %s\n",
                scheduling,
                static_cast<long long>(misscount.count()),
                static_cast<long long>(time.count() / 1000),
                suspicions,
                warnings,
                losses,
                good ? "ok" : "TOO MANY");
    std::fflush(stdout);
    return good;
}

}  // namespace

bool loaded(milliseconds time) {
    std::printf(
        "Three nodes, three voting files, four busy processes, one that writes and syncs.\n\n"
        "%-10s %12s %10s %12s %14s %17s\n",
        "scheduling",
        "misscount",
        "time",
        "suspicions",
        "file warnings",
        "stops, evictions");
    const bool real_time = measure("real-time", std::chrono::seconds{1}, time);
    return measure("ordinary", std::chrono::seconds{3}, time) && real_time;
}

}  // namespace css::e2e::bench
