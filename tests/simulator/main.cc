#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include <boost/program_options.hpp>

#include "tests/simulator/campaign.h"
#include "tests/simulator/measure.h"
#include "tests/simulator/mutations.h"
#include "tests/simulator/run.h"

namespace {

namespace po = boost::program_options;
using css::sim::Campaign;

po::options_description describe(Campaign& campaign) {
    css::sim::Overrides& over = campaign.overrides;
    po::options_description all{"css_sim: whole clusters in a deterministic simulation"};
    auto add = all.add_options();
    add("help", "this text");
    add("replay", po::value<std::uint64_t>(), "run one seed and print its trace");
    add("seeds", po::value<std::string>(), "A..B: run these seeds");
    add("jobs", po::value(&campaign.jobs)->default_value(1), "worker processes");
    add("stop-after",
        po::value(&campaign.stop_after)->default_value(20),
        "end after so many failed seeds");
    add("bench", "print simulated hours per second");
    add("mutations", "break each rule in turn; --seeds says how many to try at most");
    add("mutation", po::value<std::string>(), "break this rule in --replay and --seeds");
    add("latency", po::value<unsigned>()->implicit_value(400), "print the table of latencies");
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

int run(int argc, char** argv) {
    Campaign campaign;
    const po::options_description all = describe(campaign);
    po::variables_map given;
    po::store(po::parse_command_line(argc, argv, all), given);
    po::notify(given);
    if (given.count("mutation") != 0) {
        const auto which = css::sim::mutation_named(given["mutation"].as<std::string>());
        if (!which) {
            std::cerr << "css_sim: no such mutation\n";
            return css::sim::kExitUsage;
        }
        css::active_mutation = *which;
    }
    if (given.count("replay") != 0) {
        return css::sim::replay(given["replay"].as<std::uint64_t>(), campaign.overrides);
    }
    if (given.count("bench") != 0) {
        return css::sim::run_bench();
    }
    if (given.count("latency") != 0) {
        return css::sim::run_latency(given["latency"].as<unsigned>());
    }
    if (given.count("seeds") != 0) {
        const std::string range = given["seeds"].as<std::string>();
        const std::size_t dots = range.find("..");
        if (dots == std::string::npos || campaign.jobs == 0) {
            std::cerr << "css_sim: --seeds wants A..B, --jobs at least 1\n";
            return css::sim::kExitUsage;
        }
        campaign.first = std::stoull(range.substr(0, dots));
        campaign.last = std::stoull(range.substr(dots + 2));
        return given.count("mutations") != 0 ? css::sim::run_mutations(campaign)
                                             : css::sim::run_campaign(campaign);
    }
    std::cout << all;
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
