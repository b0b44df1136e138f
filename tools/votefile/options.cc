#include "tools/votefile/options.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <boost/program_options.hpp>

#include "cssd/base/types.h"
#include "cssd/config/duration.h"

namespace css::votefile {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: votefile create --cluster-name NAME [OPTION]... PATH...\n"
    "       votefile dump [--json] PATH...\n"
    "       votefile check PATH...\n"
    "\n"
    "create  format a whole set of voting files: an odd count, 1 to 15, plain files\n"
    "        (made if missing) or block devices. Never one that a daemon uses.\n"
    "  --cluster-name NAME      1 to 64 letters, digits, '-', '_', '.'\n"
    "  --misscount TIME         network silence after which a node is removed (30)\n"
    "  --disktimeout TIME       longest silence on the voting files (200)\n"
    "  --reboottime TIME        granted for a stop to take effect (3)\n"
    "  --max-nodes N            largest node number, 1 to 64 (64)\n"
    "  --sector-size 512|4096   the smallest that all files allow, unless given\n"
    "  --force                  overwrite voting files and other data\n"
    "dump    show the header, every used slot, ballot and kill block\n"
    "  --json                   one JSON document\n"
    "check   verify every checksum and that the files belong together\n"
    "\n"
    "TIME is in seconds, or has a suffix: 800ms, 30s, 5min.\n"
    "  --help, --version\n"
    "Exit codes: 0 done, 1 refused, failed or damaged, 2 wrong usage.\n";

/// Wrong usage, found by us.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

po::variables_map parse(const std::vector<std::string>& words, po::options_description& known) {
    known.add_options()("help", "")("version", "");
    known.add_options()("PATH", po::value<std::vector<std::string>>());
    po::positional_options_description positional;
    positional.add("PATH", -1);
    po::variables_map given;
    const int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(
        po::command_line_parser(words).options(known).positional(positional).style(style).run(),
        given);
    po::notify(given);
    return given;
}

std::vector<std::string> paths_of(const po::variables_map& given) {
    if (given.count("PATH") == 0) {
        throw UsageError{"give at least one PATH"};
    }
    const auto paths = given["PATH"].as<std::vector<std::string>>();
    for (const std::string& path : paths) {
        if (path.empty()) {
            throw UsageError{"a PATH is empty"};
        }
    }
    return paths;
}

void take_duration(const po::variables_map& given,
                   const char* name,
                   std::chrono::milliseconds& value) {
    if (given.count(name) == 0) {
        return;
    }
    const auto parsed = config::parse_duration(given[name].as<std::string>());
    if (!parsed) {
        throw UsageError{std::string{"--"} + name + ": " + parsed.error().message};
    }
    value = *parsed;
}

unsigned max_nodes_of(const po::variables_map& given) {
    if (given.count("max-nodes") == 0) {
        return kNodesMax;
    }
    const auto text = given["max-nodes"].as<std::string>();
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 1 ||
        value > kNodesMax) {
        throw UsageError{"--max-nodes: '" + text + "' is not a whole number from 1 to 64"};
    }
    return value;
}

std::optional<std::size_t> sector_size_of(const po::variables_map& given) {
    if (given.count("sector-size") == 0) {
        return std::nullopt;
    }
    const auto text = given["sector-size"].as<std::string>();
    if (text != "512" && text != "4096") {
        throw UsageError{"--sector-size: '" + text + "' is neither 512 nor 4096"};
    }
    return text == "512" ? 512 : 4096;
}

Command parse_create(const std::vector<std::string>& words) {
    po::options_description known;
    for (const char* option :
         {"cluster-name", "misscount", "disktimeout", "reboottime", "max-nodes", "sector-size"}) {
        known.add_options()(option, po::value<std::string>());
    }
    known.add_options()("force", "");
    const po::variables_map given = parse(words, known);
    if (given.count("help") != 0) {
        return Finish{0, kUsage};
    }
    CreateOptions options;
    if (given.count("cluster-name") == 0) {
        throw UsageError{"create needs --cluster-name NAME"};
    }
    options.cluster_name = given["cluster-name"].as<std::string>();
    take_duration(given, "misscount", options.parameters.misscount);
    take_duration(given, "disktimeout", options.parameters.disktimeout);
    take_duration(given, "reboottime", options.parameters.reboottime);
    options.slots_max = max_nodes_of(given);
    options.sector_size = sector_size_of(given);
    options.existing = given.count("force") != 0 ? Existing::kOverwrite : Existing::kRefuse;
    options.paths = paths_of(given);
    return options;
}

Command parse_dump(const std::vector<std::string>& words) {
    po::options_description known;
    known.add_options()("json", "");
    const po::variables_map given = parse(words, known);
    if (given.count("help") != 0) {
        return Finish{0, kUsage};
    }
    return DumpOptions{given.count("json") != 0 ? Output::kJson : Output::kText, paths_of(given)};
}

Command parse_check(const std::vector<std::string>& words) {
    po::options_description known;
    const po::variables_map given = parse(words, known);
    if (given.count("help") != 0) {
        return Finish{0, kUsage};
    }
    return CheckOptions{paths_of(given)};
}

Command parse_words(std::vector<std::string> words) {
    if (words.empty()) {
        throw UsageError{"give a command: create, dump or check"};
    }
    for (const std::string& word : words) {
        if (word == "--version") {
            return Finish{0, "votefile " CSS_VERSION "\n"};
        }
    }
    const std::string command = words.front();
    words.erase(words.begin());
    if (command == "--help") {
        return Finish{0, kUsage};
    }
    if (command == "create") {
        return parse_create(words);
    }
    if (command == "dump") {
        return parse_dump(words);
    }
    if (command == "check") {
        return parse_check(words);
    }
    throw UsageError{(command.starts_with("-") ? "unknown option '" : "unknown command '") +
                     command + "': give create, dump or check"};
}

Finish wrong_usage(const std::string& what) {
    return Finish{2, "votefile: " + what + "; see votefile --help\n"};
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
    try {
        return parse_words({argv + std::min(argc, 1), argv + argc});
    } catch (const UsageError& error) {
        return wrong_usage(error.what());
    } catch (const po::error& error) {
        return wrong_usage(error.what());
    }
}

}  // namespace css::votefile
