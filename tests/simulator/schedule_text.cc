// A run's options and faults as text, and back.

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <sstream>

#include "tests/simulator/options.h"

namespace css::sim {
namespace {

using Words = std::vector<std::string>;

constexpr std::array<std::string_view, 2> kFences{"reboot", "kill-clients"};

/// Every option that is a single value: its key and where it is. `Run` is Options or const.
template <class Run, class Visit>
void each_value(Run& run, Visit visit) {
    visit("seed", run.seed);
    visit("slots-max", run.slots_max);
    visit("files", run.files);
    visit("spare-files", run.spare_files);
    visit("sector-size", run.sector_size);
    visit("interconnects", run.interconnects);
    visit("fence", run.fence);
    visit("fence-command", run.fence_command);
    visit("stop-max", run.stop_max);
    visit("network-delay-min", run.network_delay_min);
    visit("network-delay-max", run.network_delay_max);
    visit("disk-latency-min", run.disk_latency_min);
    visit("disk-latency-max", run.disk_latency_max);
    visit("loss-permille", run.loss_permille);
    visit("duplicate-permille", run.duplicate_permille);
    visit("reorder-permille", run.reorder_permille);
    visit("stall-permille", run.stall_permille);
    visit("split-permille", run.split_permille);
    visit("insane-files", run.insane_files);
    visit("bad-kill-files", run.bad_kill_files);
    visit("fault-phase", run.fault_phase);
    visit("replay-always", run.replay_always);
    visit("audit", run.audit);
    visit("final-eviction", run.final_eviction);
    visit("final-partition", run.final_partition);
}

// --------------------------------------------------------------------------------- writing

std::string text_of(SimTime time) {
    std::array<char, 40> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%" PRId64 ".%09" PRId64,
                  time / 1'000'000'000,
                  time % 1'000'000'000);
    return text.data();
}
std::string text_of(bool value) {
    return value ? "yes" : "no";
}
std::string text_of(FenceMode mode) {
    return std::string{kFences[static_cast<std::size_t>(mode)]};
}
std::string text_of(std::uint64_t value) {
    return std::to_string(value);
}
std::string text_of(unsigned value) {
    return std::to_string(value);
}
std::string text_of(std::uint16_t value) {
    return std::to_string(value);
}

std::string fault_line(const FaultAction& fault) {
    return "fault " + text_of(fault.at) + " " + std::string{info(fault.kind).name} + " machines " +
           text_of(fault.a + 1) + " " + text_of(fault.b + 1) + " file " + text_of(fault.file + 1) +
           " for " + text_of(fault.duration) + " salt " + text_of(fault.salt) + "\n";
}

std::string ambush_line(const Ambush& ambush) {
    std::string text =
        "ambush " + std::string{kPlaceNames[static_cast<std::size_t>(ambush.place)]} +
        " permille " + text_of(ambush.permille) + " percent " + text_of(ambush.percent);
    for (const FaultKind move : ambush.moves) {
        text += " " + std::string{info(move).name};
    }
    return text + "\n";
}

// --------------------------------------------------------------------------------- reading

bool take(const std::string& word, std::uint64_t& out) {
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), out);
    return problem == std::errc{} && end == word.data() + word.size();
}
template <class Number>
bool take_number(const std::string& word, Number& out, std::uint64_t most) {
    std::uint64_t value = 0;
    if (!take(word, value) || value > most) {
        return false;
    }
    out = static_cast<Number>(value);
    return true;
}
bool take(const std::string& word, unsigned& out) {
    return take_number(word, out, 0xffff'ffffU);
}
bool take(const std::string& word, std::uint16_t& out) {
    return take_number(word, out, 0xffffU);
}
bool take(const std::string& word, SimTime& out) {
    const std::size_t dot = word.find('.');
    std::uint64_t seconds = 0;
    std::uint64_t nanoseconds = 0;
    if (dot == std::string::npos || word.size() - dot != 10 ||
        !take(word.substr(0, dot), seconds) || !take(word.substr(dot + 1), nanoseconds) ||
        seconds > 1'000'000'000) {
        return false;
    }
    out = static_cast<SimTime>(seconds * 1'000'000'000 + nanoseconds);
    return true;
}
bool take(const std::string& word, bool& out) {
    out = word == "yes";
    return out || word == "no";
}
bool take(const std::string& word, FenceMode& out) {
    const auto* const found = std::find(kFences.begin(), kFences.end(), word);
    out = static_cast<FenceMode>(found - kFences.begin());
    return found != kFences.end();
}
bool take(const std::string& word, FaultKind& out) {
    for (const FaultInfo& kind : kFaults) {
        if (kind.name == word) {
            out = kind.kind;
            return true;
        }
    }
    return false;
}

bool take(const std::string& word, Place& out) {
    const auto* const found = std::find(kPlaceNames.begin(), kPlaceNames.end(), word);
    out = static_cast<Place>(found - kPlaceNames.begin());
    return found != kPlaceNames.end();
}

bool take_all(const Words& words, std::size_t from, std::vector<std::uint64_t>& out) {
    for (std::size_t i = from; i < words.size(); ++i) {
        if (!take(words[i], out.emplace_back())) {
            return false;
        }
    }
    return !out.empty();
}

bool take_ordinal(const std::string& word, unsigned& out) {
    if (!take(word, out) || out == 0) {
        return false;
    }
    --out;
    return true;
}

bool take_fault(const Words& words, Options& run) {
    FaultAction fault;
    const bool good = words.size() == 12 && words[3] == "machines" && words[6] == "file" &&
                      words[8] == "for" && words[10] == "salt" && take(words[1], fault.at) &&
                      take(words[2], fault.kind) && take_ordinal(words[4], fault.a) &&
                      take_ordinal(words[5], fault.b) && take_ordinal(words[7], fault.file) &&
                      take(words[9], fault.duration) && take(words[11], fault.salt);
    run.schedule.push_back(fault);
    return good;
}

bool take_ambush(const Words& words, Options& run) {
    Ambush ambush;
    if (words.size() < 7 || words[2] != "permille" || words[4] != "percent" ||
        !take(words[1], ambush.place) || !take(words[3], ambush.permille) ||
        !take(words[5], ambush.percent)) {
        return false;
    }
    for (std::size_t i = 6; i < words.size(); ++i) {
        if (!take(words[i], ambush.moves.emplace_back())) {
            return false;
        }
    }
    run.ambushes.push_back(ambush);
    return true;
}

bool take_parameters(const Words& words, Options& run) {
    std::vector<std::uint64_t> ms;
    if (!take_all(words, 1, ms) || ms.size() != 3) {
        return false;
    }
    const auto duration = [&](std::size_t i) {
        return std::chrono::milliseconds{static_cast<std::int64_t>(ms[i])};
    };
    run.palette.push_back(
        {.misscount = duration(0), .disktimeout = duration(1), .reboottime = duration(2)});
    return consistent(run.palette.back());
}

/// What a line should look like; null: this one does.
const char* take_line(const Words& words, Options& run) {
    if (words[0] == "fault") {
        return take_fault(words, run) ? nullptr
                                      : "fault AT KIND machines A B file F for LENGTH salt NUMBER";
    }
    if (words[0] == "ambush") {
        return take_ambush(words, run) ? nullptr
                                       : "ambush PLACE permille NUMBER percent NUMBER KIND...";
    }
    if (words[0] == "parameters") {
        return take_parameters(words, run)
                   ? nullptr
                   : "parameters MISSCOUNT DISKTIMEOUT REBOOTTIME in milliseconds, consistent";
    }
    std::vector<std::uint64_t> numbers;
    if (words[0] == "numbers" && take_all(words, 1, numbers)) {
        for (const std::uint64_t n : numbers) {
            if (n == 0 || n > kNodesMax) {
                return "numbers, each from 1 to 64";
            }
            run.numbers.emplace_back(static_cast<unsigned>(n));
        }
        return nullptr;
    }
    if (words[0] == "weights" && take_all(words, 1, numbers)) {
        for (const std::uint64_t w : numbers) {
            run.weights.push_back(static_cast<std::uint32_t>(w));
        }
        return nullptr;
    }
    const char* right = "a key and value as in a file of css_sim --replay 1 --save FILE";
    each_value(run, [&](const char* key, auto& value) {
        if (words.size() == 2 && words[0] == key && take(words[1], value)) {
            right = nullptr;
        }
    });
    return right;
}

/// Whether the whole makes a run that can be simulated.
const char* problem_of(const Options& run) {
    if (run.numbers.empty() || run.weights.size() != run.numbers.size() ||
        !std::is_sorted(run.numbers.begin(), run.numbers.end(), std::less_equal<>{})) {
        return "it needs `numbers`, ascending, and as many `weights`";
    }
    if (run.palette.empty()) {
        return "it needs `parameters`";
    }
    if (run.files == 0 || run.files > kFilesMax || run.spare_files > kFilesMax - run.files ||
        run.files % 2 == 0 || run.interconnects == 0 ||
        (run.sector_size != 512 && run.sector_size != 4096) || run.slots_max > kNodesMax ||
        run.slots_max < run.numbers.back().value()) {
        return "it needs an odd count of `files` up to 15, with `spare-files`, `interconnects`, "
               "`sector-size` 512 or "
               "4096, and `slots-max` for all numbers, up to 64";
    }
    for (const FaultAction& fault : run.schedule) {
        if (fault.a >= run.nodes() || fault.b >= run.nodes() || fault.file >= run.places()) {
            return "a fault is about a machine or file that is not there";
        }
        if (fault.at >= run.fault_phase) {
            return "a fault begins after `fault-phase`";
        }
    }
    return nullptr;
}

}  // namespace

std::string write_schedule(const Options& run) {
    std::string text = "# css_sim --schedule FILE\nnumbers";
    for (const NodeNumber n : run.numbers) {
        text += " " + text_of(n.value());
    }
    text += "\nweights";
    for (const std::uint32_t weight : run.weights) {
        text += " " + text_of(weight);
    }
    for (const Parameters& p : run.palette) {
        text += "\nparameters " + std::to_string(p.misscount.count()) + " " +
                std::to_string(p.disktimeout.count()) + " " + std::to_string(p.reboottime.count());
    }
    text += "\n";
    each_value(run, [&](const char* key, const auto& value) {
        text += key + (" " + text_of(value)) + "\n";
    });
    for (const Ambush& ambush : run.ambushes) {
        text += ambush_line(ambush);
    }
    for (const FaultAction& fault : run.schedule) {
        text += fault_line(fault);
    }
    return text;
}

Result<Options> read_schedule(const std::string& text) {
    Options run;
    std::istringstream lines{text};
    std::string line;
    for (unsigned number = 1; std::getline(lines, line); ++number) {
        std::istringstream split{line.substr(0, line.find('#'))};
        const Words words{std::istream_iterator<std::string>{split}, {}};
        const char* right = words.empty() ? nullptr : take_line(words, run);
        if (right != nullptr) {
            return Error{.message = "line " + std::to_string(number) + ": '" + line +
                                    "'; right would be: " + right};
        }
    }
    if (const char* problem = problem_of(run)) {
        return Error{.message = problem};
    }
    return run;
}

}  // namespace css::sim
