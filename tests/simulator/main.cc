#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include <boost/program_options.hpp>

#include "tests/simulator/campaign.h"
#include "tests/simulator/commit.h"
#include "tests/simulator/measure.h"
#include "tests/simulator/mutations.h"
#include "tests/simulator/replay.h"
#include "tests/simulator/shrink.h"

namespace {

namespace po = boost::program_options;
using css::sim::Campaign;
using css::sim::Options;

/// What is not the campaign's.
struct Command {
    Campaign campaign;
    std::string schedule_file;
    std::string save_as;
    std::string page;
};

constexpr const char* kExitCodes =
    "\nExit codes: 0 passed, 2 wrong usage, 3 a safety invariant was broken, 4 a liveness bound "
    "was\n"
    "broken, 134 the core crashed (one of its checks failed). Of several failures the first of\n"
    "crash, safety, liveness.\n";

po::options_description describe(Command& command) {
    Campaign& campaign = command.campaign;
    po::options_description all{"css_sim: whole clusters in a deterministic simulation", 100};
    auto add = all.add_options();
    add("help", "this text");
    add("version", "the commit that was built");
    add("replay", po::value<std::uint64_t>(), "run one seed and print its trace");
    add("shrink", po::value<std::uint64_t>(), "make the schedule of a failing seed smaller");
    add("schedule",
        po::value(&command.schedule_file),
        "options and faults from this file; alone, or with --replay, --shrink or --seeds for other "
        "chance");
    add("save", po::value(&command.save_as), "write the schedule of --replay or --shrink there");
    add("html", po::value(&command.page), "draw the run of --replay, instead of its trace, there");
    add("seeds", po::value<std::string>(), "A..B: run these seeds");
    add("fresh",
        po::value<std::uint64_t>(),
        "so many seeds that nobody ran before; the first comes from the commit, and is printed");
    add("seconds", po::value(&campaign.seconds), "begin no seed of --seeds or --fresh later");
    add("counts", po::value(&campaign.counts_file), "write what was counted there, too");
    add("hashes", po::value<std::string>(), "A..B: print each seed's trace hash");
    add("jobs", po::value(&campaign.jobs)->default_value(1), "worker processes");
    add("stop-after",
        po::value(&campaign.stop_after)->default_value(20),
        "end after so many failed seeds");
    add("bench", "print simulated hours per second");
    add("mutations",
        po::value<std::string>()->implicit_value(""),
        "break each rule in turn, or the named ones, and print when it is caught");
    add("tries", po::value<std::uint64_t>(), "seeds for each of the mutations at most");
    add("from", po::value<std::uint64_t>(), "first seed for each of the mutations");
    add("mutation", po::value<std::string>(), "break this rule in --replay, --shrink and --seeds");
    add("directed",
        po::value<std::string>(),
        "the runs directed at this rule, as in --mutations; it is broken by --mutation only");
    add("latency", po::value<unsigned>()->implicit_value(400), "print the table of latencies");
    return all;
}

/// What changes the options that a seed draws.
po::options_description describe_overrides(css::sim::Overrides& over) {
    po::options_description all{"instead of what the seed draws", 100};
    auto add = all.add_options();
    add("nodes", po::value(&over.nodes), "number of nodes");
    add("files", po::value(&over.files), "number of voting files");
    add("interconnects", po::value(&over.interconnects), "number of interconnects");
    add("sector-size", po::value(&over.sector_size), "512 or 4096");
    add("misscount", po::value(&over.misscount_ms), "milliseconds");
    add("disktimeout", po::value(&over.disktimeout_ms), "milliseconds");
    add("reboottime", po::value(&over.reboottime_ms), "milliseconds");
    add("fault-phase", po::value(&over.fault_phase_ms), "milliseconds");
    add("faults", po::value(&over.faults), "only these kinds, separated by commas; or none");
    return all;
}

int wrong(const std::string& what) {
    std::cerr << "css_sim: " << what << '\n';
    return css::sim::kExitUsage;
}

/// One run: by a seed, or by a file and perhaps another seed.
int run_one(const po::variables_map& given, const Command& command) {
    const Campaign& campaign = command.campaign;
    const bool shrinks = given.count("shrink") != 0;
    const char* const with_seed = shrinks ? "shrink" : "replay";
    const Options options = given.count(with_seed) != 0
                                ? campaign.options(given[with_seed].as<std::uint64_t>())
                                : *campaign.fixed;
    if (shrinks) {
        const std::string file = "css_sim-" + std::to_string(options.seed) + ".schedule";
        return css::sim::run_shrink(options, command.save_as.empty() ? file : command.save_as);
    }
    if (!command.save_as.empty()) {
        std::ofstream file{command.save_as};
        if (!(file << write_schedule(options)).flush()) {
            return wrong("cannot write " + command.save_as);
        }
    }
    return command.page.empty() ? css::sim::replay(options) : css::sim::draw(options, command.page);
}

/// `A..B`; a message when it is not.
std::string take_range(const std::string& range, Campaign& campaign) {
    const std::size_t dots = range.find("..");
    if (dots == std::string::npos || campaign.jobs == 0) {
        return "--seeds and --hashes want A..B, --jobs at least 1";
    }
    campaign.first = std::stoull(range.substr(0, dots));
    campaign.last = std::stoull(range.substr(dots + 2));
    return {};
}

/// Another range with each commit, far from those that tests and people name.
void take_fresh(std::uint64_t count, Campaign& campaign) {
    std::uint64_t first = 0xcbf29ce484222325U;
    for (const char* c = css::sim::kCommit; *c != '\0'; ++c) {
        first = (first ^ static_cast<unsigned char>(*c)) * 0x100000001b3U;
    }
    campaign.first = 1'000'000'000 + first % 1'000'000'000'000;
    campaign.last = campaign.first + count - 1;
    std::cout << "fresh seeds of commit " << css::sim::kCommit << ": " << campaign.first << ".."
              << campaign.last << std::endl;
}

int run_many(const po::variables_map& given, Campaign& campaign) {
    if (given.count("fresh") != 0) {
        take_fresh(given["fresh"].as<std::uint64_t>(), campaign);
        return css::sim::run_campaign(campaign);
    }
    const bool hashes = given.count("hashes") != 0;
    const std::string problem =
        take_range(given[hashes ? "hashes" : "seeds"].as<std::string>(), campaign);
    if (!problem.empty()) {
        return wrong(problem);
    }
    return hashes ? css::sim::print_hashes(campaign) : css::sim::run_campaign(campaign);
}

/// Reads the file of --schedule; a message when that cannot be.
std::string take_schedule(const std::string& path, Campaign& campaign) {
    std::ifstream file{path};
    if (!file) {
        return "cannot read " + path;
    }
    auto read = css::sim::read_schedule({std::istreambuf_iterator<char>{file}, {}});
    if (!read) {
        return path + ": " + read.error().message;
    }
    if (!campaign.overrides.words().empty()) {
        return "a schedule has all options of its own; leave out" + campaign.overrides.words();
    }
    campaign.fixed = *read;
    campaign.fixed->again = "--schedule " + path;
    return {};
}

int run(int argc, char** argv) {
    Command command;
    po::options_description all = describe(command);
    all.add(describe_overrides(command.campaign.overrides));
    po::variables_map given;
    po::store(po::parse_command_line(argc, argv, all), given);
    po::notify(given);
    for (const auto& [option, where] :
         {std::pair{"mutation", &css::active_mutation},
          std::pair{"directed", &command.campaign.overrides.directed}}) {
        if (given.count(option) == 0) {
            continue;
        }
        const auto which = css::sim::mutation_named(given[option].as<std::string>());
        if (!which) {
            return wrong("no such mutation");
        }
        *where = *which;
    }
    if (given.count("mutations") != 0) {
        css::sim::MutationRun mutations;
        mutations.jobs = command.campaign.jobs;
        mutations.only = given["mutations"].as<std::string>();
        if (given.count("tries") != 0) {
            mutations.tries = given["tries"].as<std::uint64_t>();
        }
        if (given.count("from") != 0) {
            mutations.from = given["from"].as<std::uint64_t>();
        }
        return css::sim::run_mutations(mutations);
    }
    if (!command.schedule_file.empty()) {
        const std::string problem = take_schedule(command.schedule_file, command.campaign);
        if (!problem.empty()) {
            return wrong(problem);
        }
    }
    if (given.count("seeds") + given.count("hashes") + given.count("fresh") != 0) {
        return run_many(given, command.campaign);
    }
    if (given.count("replay") + given.count("shrink") + given.count("schedule") != 0) {
        return run_one(given, command);
    }
    if (given.count("bench") != 0) {
        return css::sim::run_bench();
    }
    if (given.count("latency") != 0) {
        return css::sim::run_latency(given["latency"].as<unsigned>());
    }
    if (given.count("version") != 0) {
        std::cout << "css_sim of commit " << css::sim::kCommit << '\n';
        return css::sim::kExitPassed;
    }
    std::cout << all << kExitCodes;
    return given.count("help") != 0 ? css::sim::kExitPassed : css::sim::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "css_sim: " << error.what() << '\n';
        return css::sim::kExitUsage;
    }
}
