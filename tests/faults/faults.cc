#include "tests/faults/faults.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "tests/faults/cgroup.h"
#include "tests/voting_io/disks.h"

namespace css::faults {
namespace {

using e2e::node_name;

/// What a fault is drawn from.
struct Draw {
    Chance& chance;
    const Lab& lab;
    FileSet& set;

    [[nodiscard]] unsigned nodes() const { return lab.options().nodes; }
    [[nodiscard]] std::size_t files() const { return set.members.size(); }
    [[nodiscard]] unsigned node() const { return chance.between(1, nodes()); }
    [[nodiscard]] unsigned file() const { return chance.one_of(set.members); }
    [[nodiscard]] std::pair<unsigned, unsigned> pair() const {
        const unsigned a = node();
        const unsigned b = chance.between(1, nodes() - 1);
        return {a, b >= a ? b + 1 : b};
    }
    /// In percent of misscount.
    [[nodiscard]] milliseconds time(unsigned least, unsigned most) const {
        return lab.options().misscount * chance.between(least, most) / 100;
    }
};

std::string for_time(milliseconds time) {
    return " for " + std::to_string(time.count()) + " ms";
}

// --------------------------------------------------------------------------------- processes

void signal_programs(const Lab& lab, unsigned node, std::string_view prefix, int number) {
    for (const pid_t pid : lab.processes(node)) {
        if (e2e::program_of(pid).starts_with(prefix)) {
            (void)::kill(pid, number);
        }
    }
}

/// Both guardians are called cssd..., as the daemon is.
constexpr std::string_view kDaemonAndGuardians = "cssd";

Fault kill_daemon(const Draw& d) {
    const unsigned n = d.node();
    return {.kind = "kill-daemon",
            .words = node_name(n),
            .begin = [n](Lab& lab) { lab.daemon(n).signal(SIGKILL); },
            .may_go = {n}};
}

Fault restart_at_once(const Draw& d) {
    const unsigned n = d.node();
    return {.kind = "restart-at-once",
            .words = node_name(n),
            .begin =
                [n](Lab& lab) {
                    lab.daemon(n).kill();
                    (void)lab.start(n);  // One that ends again is started again after the episode.
                },
            .may_go = {n},
            .slow_begin = true};
}

Fault kill_guardian(const Draw& d) {
    const unsigned n = d.node();
    const std::string_view which = d.chance.percent(50) ? "cssdagent" : "cssdmonitor";
    return {.kind = "kill-guardian",
            .words = std::string{which} + " of " + node_name(n),
            .begin = [n, which](Lab& lab) { signal_programs(lab, n, which, SIGKILL); },
            .may_go = {n}};
}

Fault power_off(const Draw& d) {
    const unsigned n = d.node();
    return {.kind = "power-off",
            .words = node_name(n),
            .begin = [n](Lab& lab) { (void)lab.power_off(n); },
            .may_go = {n}};
}

/// SIGSTOP, then SIGCONT: for a moment that harms nobody, or for long enough to lose the node.
Fault stop(const Draw& d,
           std::string_view briefly,
           std::string_view for_long,
           std::function<void(Lab&, unsigned node, int number)> signal) {
    const unsigned n = d.node();
    const bool is_short = d.chance.percent(40);
    const milliseconds time = is_short ? d.time(5, 25) : d.time(50, 300);
    return {.kind = is_short ? briefly : for_long,
            .words = node_name(n) + for_time(time),
            .length = time,
            .begin = [n, signal](Lab& lab) { signal(lab, n, SIGSTOP); },
            .end = [n, signal](Lab& lab) { signal(lab, n, SIGCONT); },
            .may_go = is_short ? Members{} : Members{n}};
}

Fault stop_daemon(const Draw& d) {
    return stop(d, "stop-daemon-briefly", "stop-daemon", [](Lab& lab, unsigned n, int number) {
        lab.daemon(n).signal(number);
    });
}

/// Daemon, guardians and clients: what a host that hangs looks like from inside.
Fault freeze_host(const Draw& d) {
    return stop(d, "freeze-host-briefly", "freeze-host", [](Lab& lab, unsigned n, int number) {
        signal_programs(lab, n, "", number);
    });
}

Fault stop_guardians(const Draw& d) {
    const unsigned n = d.node();
    const milliseconds time = d.time(5, 25);
    return {.kind = "stop-guardians-briefly",
            .words = node_name(n) + for_time(time),
            .length = time,
            .begin =
                [n](Lab& lab) {
                    signal_programs(lab, n, "cssdagent", SIGSTOP);
                    signal_programs(lab, n, "cssdmonitor", SIGSTOP);
                },
            .end = [n](Lab& lab) { signal_programs(lab, n, kDaemonAndGuardians, SIGCONT); },
            .may_go = {}};
}

/// By the kernel, not by a signal: the daemon alone, or with its guardians.
Fault freezer(const Draw& d) {
    const std::string_view which = d.chance.percent(50) ? "cssd" : "";
    const auto group = std::make_shared<std::optional<Cgroup>>();
    Fault made = stop(d, "freezer-briefly", "freezer", [=](Lab& lab, unsigned n, int number) {
        if (number == SIGSTOP) {
            group->emplace("unified", "freezer");
            for (const pid_t pid : lab.processes(n)) {
                const std::string program = e2e::program_of(pid);
                if (which.empty() ? program.starts_with(kDaemonAndGuardians) : program == which) {
                    (*group)->add(pid);
                }
            }
        }
        (*group)->set("cgroup.freeze", number == SIGSTOP ? "1" : "0");
        if (number == SIGCONT) {
            group->reset();
        }
    });
    made.words += which.empty() ? ", with its guardians" : ", the daemon";
    return made;
}

/// The node's programs share a group of little memory with one that reads a large file over and
/// over: for every page that somebody takes the kernel has to find another one first.
Fault squeeze_memory(const Draw& d) {
    struct Squeeze {
        test::TemporaryDirectory directory{};
        Cgroup group{"memory", "memory"};
        e2e::Child greedy{};
    };
    const unsigned n = d.node();
    const milliseconds time = d.time(100, 300);
    const auto squeeze = std::make_shared<std::optional<Squeeze>>();
    return {.kind = "memory",
            .words = node_name(n) + for_time(time),
            .length = time,
            .begin =
                [n, squeeze](Lab& lab) {
                    squeeze->emplace();
                    const std::string large = (*squeeze)->directory.file("large");
                    (void)e2e::run({"dd", "if=/dev/zero", "of=" + large, "bs=1M", "count=128"});
                    (*squeeze)->group.set("memory.limit_in_bytes", "48M");
                    for (const pid_t pid : lab.processes(n)) {
                        (*squeeze)->group.add(pid);
                    }
                    (*squeeze)->greedy = e2e::Child{
                        {"sh", "-c", "while :; do cat " + large + " > /dev/null; done"}, {}};
                    (*squeeze)->group.add((*squeeze)->greedy.pid());
                },
            .end = [squeeze](Lab&) { squeeze->reset(); },
            .may_go = {},
            .slow_begin = true};
}

/// What has the node's logs is full.
Fault fill_log_disk(const Draw& d) {
    const unsigned n = d.node();
    const milliseconds time = d.time(50, 200);
    const std::string filler = d.lab.log_dir(n) + "/filler";
    return {.kind = "full-log-disk",
            .words = node_name(n) + for_time(time),
            .length = time,
            .begin =
                [filler](Lab&) {
                    (void)e2e::run({"dd", "if=/dev/zero", "of=" + filler, "bs=64k"});
                },
            .end = [filler](Lab&) { std::filesystem::remove(filler); },
            .may_go = {}};
}

/// Busy processes, two a processor, for a while.
Fault starve(const Draw& d) {
    constexpr unsigned kBusy = 4;
    const milliseconds time = d.time(100, 300);
    const auto busy = std::make_shared<std::vector<e2e::Child>>();
    Members everybody = d.lab.everybody();
    return {
        .kind = "starve",
        .words = std::to_string(kBusy) + " busy processes" + for_time(time),
        .length = time,
        .begin =
            [busy](Lab&) {
                for (unsigned i = 0; i < kBusy; ++i) {
                    busy->emplace_back(e2e::Words{"sh", "-c", "while :; do :; done"}, e2e::Place{});
                }
            },
        .end = [busy](Lab&) { busy->clear(); },
        .may_go = std::move(everybody),
        .shared = true};
}

Fault step_clock(const Draw& d) {
    const unsigned n = d.node();
    const int sign = d.chance.percent(50) ? 1 : -1;
    const std::chrono::seconds by{sign * static_cast<int>(d.chance.between(1, 3600))};
    const milliseconds time = d.time(50, 200);
    return {.kind = "step-clock",
            .words = node_name(n) + " by " + std::to_string(by.count()) + " s" + for_time(time),
            .length = time,
            .begin = [n, by](Lab& lab) { lab.step_wall_clock(n, by); },
            .end = [n](Lab& lab) { lab.step_wall_clock(n, std::chrono::seconds{0}); },
            .may_go = {}};
}

// ----------------------------------------------------------------------------------- network

/// PROTOCOL 7.2: the larger part stays; of equal ones that with the lowest number.
Fault partition(const Draw& d) {
    std::array<std::vector<unsigned>, 2> sides;
    while (sides[0].empty() || sides[1].empty()) {
        sides = {};
        for (unsigned n = 1; n <= d.nodes(); ++n) {
            sides[d.chance.between(0, 1)].push_back(n);
        }
    }
    const bool first = sides[0].size() != sides[1].size() ? sides[0].size() > sides[1].size()
                                                          : sides[0].front() == 1;
    const auto& stays = first ? sides[0] : sides[1];
    const auto& goes = first ? sides[1] : sides[0];
    const Members survivors{stays.begin(), stays.end()};
    const Members leavers{goes.begin(), goes.end()};
    const milliseconds time = d.time(300, 400);
    return {.kind = "partition",
            .words = e2e::to_text(survivors) + " | " + e2e::to_text(leavers) + for_time(time),
            .length = time,
            .begin = [stays, goes](Lab& lab) { lab.network().part(stays, goes); },
            .end = [](Lab& lab) { lab.network().heal(); },
            .may_go = leavers,
            .all_go = true,
            .shared = true};
}

Fault cut_pair(const Draw& d) {
    const auto [a, b] = d.pair();
    const bool one_way = d.chance.percent(50);
    const milliseconds time = d.time(200, 400);
    return {.kind = one_way ? "cut-one-way" : "cut-pair",
            .words = (one_way ? node_name(a) + " does not hear " + node_name(b)
                              : node_name(a) + " " + node_name(b)) +
                     for_time(time),
            .length = time,
            .begin =
                [a = a, b = b, one_way](Lab& lab) {
                    lab.network().deafen(a, {b});
                    if (!one_way) {
                        lab.network().deafen(b, {a});
                    }
                },
            .end = [](Lab& lab) { lab.network().heal(); },
            .may_go = {a, b},
            .go_most = 1,
            .shared = true};
}

Fault cut_interconnect(const Draw& d) {
    const unsigned network = d.chance.between(1, d.lab.options().networks);
    const unsigned n = d.node();
    const milliseconds time = d.time(150, 300);
    const Members others = d.lab.everybody();
    return {.kind = "cut-interconnect",
            .words = node_name(n) + " on network " + std::to_string(network) + for_time(time),
            .length = time,
            .begin =
                [network, n, others](Lab& lab) {
                    for (const unsigned other : others) {
                        if (other != n) {
                            lab.network().deafen_on(network, n, other);
                            lab.network().deafen_on(network, other, n);
                        }
                    }
                },
            .end = [](Lab& lab) { lab.network().heal(); },
            .may_go = d.lab.options().networks > 1 ? Members{} : Members{n},
            .shared = true};
}

/// Cuts of less than misscount, one after the other.
Fault flap(const Draw& d) {
    const auto [a, b] = d.pair();
    const milliseconds down = d.time(10, 60);
    const milliseconds up = d.time(10, 60);
    const unsigned times = d.chance.between(2, 5);
    return {.kind = "flap",
            .words = node_name(a) + " " + node_name(b) + " " + std::to_string(times) + " times" +
                     for_time(down) + " each",
            .begin =
                [a = a, b = b, down, up, times](Lab& lab) {
                    for (unsigned i = 0; i < times; ++i) {
                        lab.network().part({a}, {b});
                        lab.watch_for(down);
                        lab.network().heal();
                        lab.watch_for(up);
                    }
                },
            .may_go = {a, b},
            .go_most = 1,
            .slow_begin = true,
            .shared = true};
}

Fault lose(const Draw& d) {
    const unsigned percent = d.chance.between(5, 40);
    const milliseconds time = d.time(200, 400);
    return {.kind = "loss",
            .words = std::to_string(percent) + " % everywhere" + for_time(time),
            .length = time,
            .begin =
                [percent](Lab& lab) {
                    for (const unsigned n : lab.everybody()) {
                        lab.network().lose(n, percent);
                    }
                },
            .end = [](Lab& lab) { lab.network().heal(); },
            .may_go = d.lab.everybody(),
            .shared = true};
}

/// Its heartbeats wait for each other, and some are lost.
Fault throttle(const Draw& d) {
    const unsigned n = d.node();
    const unsigned kilobits = d.chance.between(32, 512);
    const milliseconds time = d.time(100, 300);
    return {
        .kind = "bandwidth",
        .words = node_name(n) + " " + std::to_string(kilobits) + " kbit/s" + for_time(time),
        .length = time,
        .begin = [n, kilobits](Lab& lab) { lab.network().throttle(n, kilobits); },
        .end = [](Lab& lab) { lab.network().heal(); },
        .may_go = d.lab.everybody(),  // Where it still reaches some, another one may have to go.
        .shared = true};
}

// ------------------------------------------------------------------------------------- disks

struct DiskFault {
    const char* verb;
    unsigned amount;
};

DiskFault draw_disk_fault(const Draw& d) {
    const std::array all{
        DiskFault{"hang", 0},
        DiskFault{"error", 0},
        DiskFault{"delay", static_cast<unsigned>(d.time(1, 30).count())},
        DiskFault{"drop", 0},
        DiskFault{"tear", d.chance.between(1, 1023)},
    };
    return d.chance.one_of(all);
}

std::string words_of(const DiskFault& fault) {
    return std::string{fault.verb} +
           (fault.amount != 0 ? " " + std::to_string(fault.amount) : std::string{});
}

/// One file of all goes wrong, for everybody or for one.
Fault one_file(const Draw& d) {
    const unsigned file = d.file();
    const bool everywhere = d.chance.percent(50);
    const unsigned node = d.node();
    const DiskFault fault = draw_disk_fault(d);
    const milliseconds time = d.time(100, 400);
    const Members whom = everywhere ? d.lab.everybody() : Members{node};
    return {.kind = "one-file",
            .words = words_of(fault) + " file " + std::to_string(file) + " of " +
                     e2e::to_text(whom) + for_time(time),
            .length = time,
            .begin =
                [file, fault, whom](Lab& lab) {
                    for (const unsigned n : whom) {
                        lab.disks().fault(n, file, fault.verb, fault.amount);
                    }
                },
            .end = [](Lab& lab) { lab.disks().clear_faults(); },
            .may_go = d.files() > 1 ? Members{} : whom,
            .shared = true};
}

/// A majority of the files goes wrong for one node.
Fault most_files(const Draw& d) {
    const unsigned node = d.node();
    const unsigned spared = d.file();
    DiskFault fault = draw_disk_fault(d);
    if (fault.verb == std::string_view{"tear"}) {
        // Sectors are written as a whole, or on a minority of the files only (README, "takes for
        // granted"): one that is torn on a majority is unreadable to everybody.
        fault.amount = d.lab.options().sector_size;
    }
    const milliseconds time = d.lab.options().disktimeout * d.chance.between(20, 150) / 100;
    return {.kind = "most-files",
            .words = words_of(fault) + " all but file " + std::to_string(spared) + " of " +
                     node_name(node) + for_time(time),
            .length = time,
            .begin =
                [node, spared, fault, members = d.set.members](Lab& lab) {
                    for (const unsigned f : members) {
                        if (f != spared) {
                            lab.disks().fault(node, f, fault.verb, fault.amount);
                        }
                    }
                },
            .end = [](Lab& lab) { lab.disks().clear_faults(); },
            .may_go = {node},
            .shared = true};
}

/// File Universal Ids of the voting files but this one, as the node shows them.
std::vector<std::string> others(Lab& lab, unsigned node, unsigned file) {
    std::vector<std::string> found;
    std::istringstream table{lab.crsctl(node, {"query", "css", "votedisk"}).out};
    for (std::string line; std::getline(table, line);) {
        constexpr std::size_t kUidSize = 32;
        const std::size_t path = line.find(" (");
        const bool row = path != std::string::npos && path >= kUidSize;
        if (row && line.find("/vote" + std::to_string(file) + ")") == std::string::npos) {
            found.push_back(line.substr(path - kUidSize, kUidSize));
        }
    }
    return found;
}

/// As the alert log asks for: a daemon's next life finds the files, whatever it can read then.
void configure(Lab& lab, const FileSet& set) {
    for (const unsigned node : lab.everybody()) {
        std::vector<std::string> paths;
        for (const unsigned f : set.members) {
            paths.push_back(set.anew.contains(f) ? lab.disks().sound_path(f)
                                                 : lab.disks().paths(node).at(f - 1));
        }
        lab.configure_files(node, paths);
    }
}

/// A file loses what stands in it, and an administrator puts another one in its place.
Fault wipe(const Draw& d) {
    const unsigned file = d.file();
    const unsigned n = d.node();
    const bool all_of_it = d.chance.percent(50);
    const milliseconds time = d.time(20, 300);
    return {
        .kind = all_of_it ? "wipe" : "truncate",
        .words = "file " + std::to_string(file) + for_time(time) + ", replaced by " + node_name(n),
        .length = time,
        .begin = [file, all_of_it](
                     Lab& lab) { all_of_it ? lab.disks().wipe(file) : lab.disks().truncate(file); },
        .repair =
            [file, n, &set = d.set](Lab& lab) {
                e2e::Words words{"replace", "css", "votedisk", lab.disks().sound_path(set.spare)};
                for (const std::string& uid : others(lab, n, file)) {
                    words.push_back(uid);
                }
                if (const e2e::Finished done = lab.crsctl(n, words); !done.ok()) {
                    return "`crsctl replace css votedisk` says: " + done.out + done.err;
                }
                std::ranges::replace(set.members, file, set.spare);
                set.anew.insert(set.spare);
                configure(lab, set);
                set.spare = file;
                lab.disks().wipe(file);
                return std::string{};
            },
        .may_go = {},
        .loses_file = true,
        .shared = true};
}

// ---------------------------------------------------------------------------------- commands

/// A command that is given and, at the end, waited for.
Fault command(
    std::string_view kind, std::string words, unsigned node, e2e::Words given, Members may_go) {
    const auto running = std::make_shared<e2e::Child>();
    return {.kind = kind,
            .words = std::move(words),
            .begin = [running, node, given = std::move(given)](
                         Lab& lab) { *running = lab.begin_crsctl(node, given); },
            .wait = [running] { (void)running->wait(std::chrono::seconds{10}); },
            .may_go = std::move(may_go)};
}

Fault parameters(const Draw& d) {
    const unsigned n = d.node();
    const auto base = d.lab.options().misscount;
    const std::string wanted =
        std::to_string((base * d.chance.between(10, 15) / 10).count()) + "ms";
    return command("parameters",
                   "misscount " + wanted + " by " + node_name(n),
                   n,
                   {"set", "css", "misscount", wanted},
                   {});
}

Fault evict(const Draw& d) {
    const auto [by, victim] = d.pair();
    return command("evict",
                   node_name(victim) + " by " + node_name(by),
                   by,
                   {"evict", "css", "node", node_name(victim)},
                   {victim});
}

Fault leave(const Draw& d) {
    const unsigned n = d.node();
    return command("leave", node_name(n), n, {"stop", "css"}, {n});
}

struct Kind {
    Fault (*draw)(const Draw&);
    const char* hierarchy = nullptr;  ///< Of control groups, that it needs.
};
constexpr std::array kKinds{Kind{kill_daemon},
                            Kind{restart_at_once},
                            Kind{kill_guardian},
                            Kind{power_off},
                            Kind{stop_daemon},
                            Kind{stop_guardians},
                            Kind{freeze_host},
                            Kind{freezer, "unified"},
                            Kind{starve},
                            Kind{squeeze_memory, "memory"},
                            Kind{fill_log_disk},
                            Kind{step_clock},
                            Kind{partition},
                            Kind{cut_pair},
                            Kind{cut_interconnect},
                            Kind{flap},
                            Kind{lose},
                            Kind{throttle},
                            Kind{one_file},
                            Kind{most_files},
                            Kind{wipe},
                            Kind{parameters},
                            Kind{evict},
                            Kind{leave}};

bool possible(const Kind& kind) {
    return kind.hierarchy == nullptr || Cgroup::possible(kind.hierarchy);
}

}  // namespace

Fault draw_fault(Chance& chance, const Lab& lab, FileSet& set) {
    std::vector<Kind> kinds;
    std::ranges::copy_if(kKinds, std::back_inserter(kinds), possible);
    return chance.one_of(kinds).draw(Draw{chance, lab, set});
}

std::vector<std::string> left_out() {
    std::vector<std::string> words;
    for (const Kind& kind : kKinds) {
        if (!possible(kind)) {
            words.push_back(std::string{"no control groups of "} + kind.hierarchy);
        }
    }
    return words;
}

}  // namespace css::faults
