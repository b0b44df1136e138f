#include "tests/faults/campaign.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <numeric>

#include <sys/mount.h>
#include <sys/stat.h>

#include "cssd/base/check.h"

namespace css::faults {
namespace {

using e2e::as_millis;
using e2e::boottime_now;
using e2e::kPatience;
using e2e::Nanos;
using e2e::nanos;
using e2e::Told;

/// Short enough for many episodes, long enough that a busy machine alone makes nobody late.
e2e::LabOptions lab_options(const CampaignOptions& o) {
    return {.nodes = o.nodes,
            .networks = 2,
            .files = o.files,
            .spare_files = 1,
            .disks = e2e::DiskKind::kFaulty,
            .misscount = milliseconds{1500},
            .disktimeout = milliseconds{4000},
            .reboottime = milliseconds{400},
            .fence_action = o.seed % 2 == 0 ? "exit" : "kill-clients",
            .more_configuration = "autorejoin_tries = 1000\nautorejoin_interval = 1s\n",
            .own_wall_clocks = true};
}

Usage usage_of(pid_t pid) {
    namespace fs = std::filesystem;
    std::error_code gone;
    const fs::directory_iterator descriptors{"/proc/" + std::to_string(pid) + "/fd", gone};
    return {.pid = pid,
            .descriptors =
                static_cast<std::size_t>(std::distance(begin(descriptors), end(descriptors))),
            .threads = e2e::threads_of(pid).size(),
            .resident_kib = e2e::kibibytes_of(pid, "VmRSS")};
}

}  // namespace

LogDisks::LogDisks(const Lab& lab) {
    for (const unsigned node : lab.everybody()) {
        const std::string& log = directories_.emplace_back(lab.log_dir(node));
        CSS_CHECK(::mkdir(log.c_str(), 0755) == 0);
        // The mount is seen by this process alone, as those of the voting files are.
        CSS_CHECK(::mount("css-logs", log.c_str(), "tmpfs", 0, "size=64m,mode=755") == 0);
    }
}

LogDisks::~LogDisks() {
    for (const std::string& log : directories_) {
        (void)::umount2(log.c_str(), MNT_DETACH);
    }
}

void LogDisks::keep() const {
    for (const std::string& log : directories_) {
        (void)e2e::run({"cp", "-a", log, log + ".kept"});
    }
}

Campaign::Campaign(const CampaignOptions& options)
    : options_(options),
      chance_(options.seed),
      lab_(lab_options(options)),
      log_disks_(lab_),
      timeline_(boottime_now(), options.nodes) {
    files_.members.resize(options.files);
    std::iota(files_.members.begin(), files_.members.end(), 1U);
    files_.spare = options.files + 1;
    for (const std::string& missing : left_out()) {
        std::cout << "LEFT OUT: " << missing << std::endl;
    }
}

bool Campaign::run() {
    const Nanos begin = boottime_now();
    if (!lab_.form()) {
        broken("the cluster does not form");
    }
    for (const unsigned node : lab_.everybody()) {
        lab_.start_client(node);
    }
    if (broken_.empty() && !lab_.wait_until([&] { return all_act(begin); })) {
        broken("not everybody acts at first");
    }
    while (broken_.empty() && boottime_now() - begin < nanos(options_.time)) {
        episode();
    }
    print_summary(milliseconds{(boottime_now() - begin) / 1'000'000});
    draw_timeline();
    if (!broken_.empty()) {
        log_disks_.keep();
        std::cout << lab_.story();
    }
    return broken_.empty();
}

void Campaign::draw_timeline() {
    const std::string path =
        options_.html.empty() ? lab_.directory() + "/timeline.html" : options_.html;
    if (options_.html.empty() && broken_.empty()) {
        return;
    }
    const std::string again = "css_fault_campaign --seed " + std::to_string(options_.seed) +
                              " --nodes " + std::to_string(options_.nodes) + " --files " +
                              std::to_string(options_.files);
    std::ofstream file{path};
    file << timeline_.page({.title = "fault campaign, seed " + std::to_string(options_.seed),
                            .again = again,
                            .options = lab_.options(),
                            .broken = broken_,
                            .end = boottime_now()})
         << std::flush;
    std::cout << (file ? "drawn in " : "cannot draw it in ") << path << std::endl;
}

void Campaign::broken(const std::string& what) {
    std::cout << "  BROKEN: " << what << std::endl;
    timeline_.add_broken(boottime_now(), what);
    broken_.push_back(what);
}

void Campaign::episode() {
    ++episodes_;
    Episode now;
    now.faults = draw();
    for (const Fault& fault : now.faults) {
        now.words += (now.words.empty() ? "" : "; ") + std::string{fault.kind} + " " + fault.words;
        ++by_kind_[std::string{fault.kind}];
    }
    std::cout << episodes_ << ": " << now.words << std::flush;
    now.begin = boottime_now();
    strike(now);
    const Nanos over = boottime_now();
    put_right(now);
    recoveries_.push_back(as_millis(boottime_now() - over));
    std::printf(", all act again after %.0f ms\n", recoveries_.back());
    std::cout << std::flush;
    judge(now);
    timeline_.add_verdict(boottime_now(),
                          "episode " + std::to_string(episodes_) +
                              (broken_.empty() ? ": all as it must be" : ": BROKEN"));
    timeline_.collect(lab_);
    if (broken_.empty()) {
        lab_.forget();
    }
}

/// Of several, one loses what a voting file holds at most: a majority of them may not (README,
/// "takes for granted").
std::vector<Fault> Campaign::draw() {
    std::vector<Fault> faults;
    const unsigned count = chance_.percent(60) ? 1 : chance_.between(2, 3);
    constexpr unsigned kTries = 10'000;
    for (unsigned i = 0; i < kTries && faults.size() < count; ++i) {
        Fault fault = draw_fault(chance_, lab_, files_);
        const bool too_much = fault.loses_file && (options_.files == 1 ||
                                                   std::ranges::any_of(faults, &Fault::loses_file));
        if (!too_much && fault.kind.starts_with(options_.only)) {
            faults.push_back(std::move(fault));
        }
    }
    if (faults.empty()) {
        broken("there is no kind of fault `" + options_.only + "` here");
    }
    return faults;
}

/// One after the other begins, first those that take their time over it, so that none lasts longer
/// than it says.
void Campaign::strike(Episode& now) {
    // clang 14 cannot read what g++ 12's library says of the same in std::ranges.
    std::stable_partition(now.faults.begin(), now.faults.end(), std::mem_fn(&Fault::slow_begin));
    std::multimap<Nanos, const Fault*> ends;
    const auto end_until = [&](Nanos until) {
        while (!ends.empty() && ends.begin()->first <= until) {
            const auto [when, fault] = *ends.begin();
            lab_.watch_for(milliseconds{std::max<Nanos>(0, when - boottime_now()) / 1'000'000});
            fault->end(lab_);
            ends.erase(ends.begin());
        }
        lab_.watch_for(milliseconds{std::max<Nanos>(0, until - boottime_now()) / 1'000'000});
    };
    for (const Fault& fault : now.faults) {
        timeline_.add_fault(boottime_now(), fault);
        fault.begin(lab_);
        ends.emplace(boottime_now() + nanos(fault.length), &fault);
        end_until(boottime_now() + nanos(milliseconds{chance_.between(0, 300)}));
    }
    if (!ends.empty()) {
        end_until(ends.rbegin()->first);
    }
    for (const Fault& fault : now.faults) {
        fault.wait();
    }
    // What follows from it may take until the longest time-out has passed.
    if (chance_.percent(50)) {
        lab_.watch_for(lab_.options().misscount * chance_.between(0, 150) / 100);
    }
}

bool Campaign::all_act(Nanos since) {
    return std::ranges::all_of(lab_.everybody(), [&](unsigned node) {
        return lab_.daemon(node).running() && lab_.last_client_line(node) > since;
    });
}

/// What the faults left is put right, and whoever has ended is started again, until all act.
void Campaign::put_right(const Episode& now) {
    lab_.network().heal();
    lab_.disks().clear_faults();
    for (const unsigned node : lab_.everybody()) {
        for (const pid_t pid : lab_.processes(node)) {
            (void)::kill(pid, SIGCONT);
        }
        lab_.step_wall_clock(node, std::chrono::seconds{0});
    }
    std::vector<const Fault*> to_repair;
    for (const Fault& fault : now.faults) {
        to_repair.push_back(&fault);
    }
    const Nanos right = boottime_now();
    const Nanos deadline = right + nanos(2 * kPatience);
    while (boottime_now() < deadline) {
        for (const unsigned node : lab_.everybody()) {
            if (!lab_.daemon(node).running()) {
                (void)lab_.start(node);
            }
            if (!lab_.client(node).running()) {
                lab_.start_client(node);
            }
        }
        std::string against;
        std::erase_if(to_repair, [&](const Fault* fault) {
            const std::string said = fault->repair(lab_);
            against += said;
            return said.empty();
        });
        if (lab_.wait_until([&] { return all_act(right); }, milliseconds{300}) && against.empty()) {
            return;
        }
        if (boottime_now() >= deadline) {
            broken("not all is well again in time; " + against);
        }
    }
}

/// No file stays lost to a node by itself.
void Campaign::judge_files() {
    for (const unsigned node : lab_.everybody()) {
        std::string table;
        const bool online = lab_.wait_until([&] {
            table = lab_.crsctl(node, {"query", "css", "votedisk"}).out;
            const std::string located = "Located " + std::to_string(options_.files) + " voting";
            return table.find(located) != std::string::npos &&
                   table.find(" OFFLINE ") == std::string::npos &&
                   table.find(" PENDING ") == std::string::npos;
        });
        if (!online) {
            broken("the voting files of " + e2e::node_name(node) + " are not all online:\n" +
                   table);
        }
    }
}

void Campaign::judge(const Episode& now) {
    judge_files();
    for (const std::string& violation : lab_.violations()) {
        broken(violation);
    }
    judge_departures(now);
    if (std::ranges::any_of(now.faults, &Fault::loses_file)) {
        usage_.clear();  // A file more has a thread and descriptors more.
    }
    judge_usage();
    const e2e::Finished answer = lab_.crsctl(1, {"get", "css", "misscount"});
    if (!answer.ok()) {
        broken("crsctl does not answer: " + answer.err);
    }
}

/// No needless eviction; and where it is known beforehand, the right ones stay.
void Campaign::judge_departures(const Episode& now) {
    const bool alone = now.faults.size() == 1;
    const bool anybody =
        !alone && std::ranges::any_of(now.faults, [](const Fault& f) { return f.shared; });
    Members may_go;
    for (const Fault& fault : now.faults) {
        may_go.insert(fault.may_go.begin(), fault.may_go.end());
    }
    Members gone;
    for (const unsigned teller : lab_.everybody()) {
        for (const Told& event : lab_.told_by(teller)) {
            const bool departs = event.type == "evict" || event.type == "left";
            if (departs && event.time >= now.begin) {
                gone.insert(event.node);
            }
        }
    }
    departures_ += static_cast<unsigned>(gone.size());
    for (const unsigned node : gone) {
        if (!anybody && !may_go.contains(node)) {
            broken(e2e::node_name(node) + " was dropped without need");
        }
    }
    if (alone && gone.size() > now.faults.front().go_most) {
        broken("more nodes were dropped than need be");
    }
    if (alone && now.faults.front().all_go && gone != now.faults.front().may_go) {
        broken("the wrong part went");
    }
}

void Campaign::judge_usage() {
    constexpr std::size_t kMoreDescriptors = 2;  // A connection of crsctl that is just closing.
    constexpr std::size_t kMoreMemory = 1024;
    for (const unsigned node : lab_.everybody()) {
        const Usage now = usage_of(lab_.daemon(node).pid());
        Usage& first = usage_[node];
        if (first.pid != now.pid || !first.settled) {
            const bool settled = first.pid == now.pid;
            first = now;
            first.settled = settled;
            continue;
        }
        const std::string who = e2e::node_name(node) + "'s daemon ";
        if (now.descriptors > first.descriptors + kMoreDescriptors) {
            broken(who + "has " + std::to_string(now.descriptors) + " descriptors, at first " +
                   std::to_string(first.descriptors));
        }
        if (now.threads > first.threads) {
            broken(who + "has " + std::to_string(now.threads) + " threads, at first " +
                   std::to_string(first.threads));
        }
        const std::size_t growth =
            now.resident_kib > first.resident_kib ? now.resident_kib - first.resident_kib : 0;
        growth_kib_ = std::max(growth_kib_, growth);
        if (growth > kMoreMemory) {
            broken(who + "takes " + std::to_string(growth) + " KiB more than at first");
        }
    }
}

void Campaign::print_summary(milliseconds took) {
    std::ranges::sort(recoveries_);
    const auto at = [this](std::size_t percent) {
        return recoveries_.empty() ? 0.0 : recoveries_[(recoveries_.size() - 1) * percent / 100];
    };
    unsigned faults = 0;
    for (const auto& [kind, count] : by_kind_) {
        faults += count;
    }
    std::printf(
        "\nseed %llu, %u nodes, %u files: %.1f minutes, %u episodes, %u faults, %u nodes "
        "dropped\n",
        static_cast<unsigned long long>(options_.seed),
        options_.nodes,
        options_.files,
        std::chrono::duration<double, std::ratio<60>>{took}.count(),
        episodes_,
        faults,
        departures_);
    std::printf(
        "until all act again, ms: median %.0f, 95 %% %.0f, most %.0f\n", at(50), at(95), at(100));
    std::printf("most memory that a life of a daemon grew by: %zu KiB\n", growth_kib_);
    for (const auto& [kind, count] : by_kind_) {
        std::printf("  %-24s %u\n", kind.c_str(), count);
    }
    std::printf("broken: %zu\n", broken_.size());
    for (const std::string& what : broken_) {
        std::printf("  %s\n", what.c_str());
    }
    std::fflush(stdout);
}

}  // namespace css::faults
