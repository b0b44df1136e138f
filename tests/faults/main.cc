#include <cstdlib>
#include <iostream>

#include <boost/program_options.hpp>

#include "tests/faults/campaign.h"

namespace po = boost::program_options;
using css::faults::Campaign;
using css::faults::CampaignOptions;

int main(int argc, char** argv) {
    CampaignOptions options;
    double minutes = 4;
    po::options_description description{
        "css_fault_campaign: faults at random against a cluster of real daemons"};
    description.add_options()  //
        ("help", "this text")  //
        ("minutes", po::value(&minutes)->default_value(minutes), "begin no episode later")(
            "seed", po::value(&options.seed)->default_value(options.seed), "of the faults")(
            "nodes", po::value(&options.nodes)->default_value(options.nodes), "2 to 8")(
            "files", po::value(&options.files)->default_value(options.files), "1, 3 or 5")(
            "html", po::value(&options.html), "draw what happened there")(
            "only", po::value(&options.only), "kinds of faults that begin so, as in the summary");
    try {
        po::variables_map given;
        po::store(po::parse_command_line(argc, argv, description), given);
        po::notify(given);
        if (given.contains("help")) {
            std::cout << description;
            return 0;
        }
    } catch (const po::error& error) {
        std::cerr << error.what() << '\n' << description;
        return 2;
    }
    const bool odd = options.files % 2 == 1 && options.files <= 5;
    if (!odd || options.nodes < 2 || options.nodes > 8 || minutes <= 0) {
        std::cerr << "give 2 to 8 nodes, 1, 3 or 5 files, and some minutes\n";
        return 2;
    }
    options.time = std::chrono::duration_cast<css::e2e::milliseconds>(
        std::chrono::duration<double, std::ratio<60>>{minutes});
    const std::string missing = css::e2e::missing_here();
    if (!missing.empty()) {
        std::cerr << (std::getenv("CI") != nullptr ? "may not be skipped here, but "
                                                   : "SKIPPED, NOT TESTED: ")
                  << missing << '\n';
        return std::getenv("CI") != nullptr ? 1 : 77;
    }
    return Campaign{options}.run() ? 0 : 1;
}
