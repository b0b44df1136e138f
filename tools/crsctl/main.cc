#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <sstream>

#include "cssd/config/config.h"
#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

constexpr std::array kCommands{
    Command{"get css", "misscount|disktimeout|reboottime|clusterguid|priority", get_css},
    Command{"set css", "misscount|disktimeout|reboottime VALUE", set_css},
    Command{"unset css", "misscount|disktimeout|reboottime", unset_css},
    Command{"get server", "css_critical", get_server},
    Command{"set server", "css_critical yes|no", set_server},
    Command{"get log css", "CSSD", get_log},
    Command{"set log css", "CSSD:LEVEL", set_log},
    Command{"check css", "", check_css},
    Command{"check cluster", "[-all] [-n NODE...]", check_cluster},
    Command{"query css votedisk", "", query_votedisk},
    Command{"query css members", "", query_members},
    Command{"query css status", "", query_status},
    Command{"query css history", "", query_history},
    Command{"query css groups", "[GROUP]", query_groups},
    Command{"watch css events", "", watch_events},
    Command{"evict css node", "NAME", evict_node},
    Command{"stop css", "", stop_css},
    Command{"stop cluster", "-all", stop_cluster},
    Command{"enable css", "", enable_css},
    Command{"disable css", "", disable_css},
    Command{"add css votedisk", "PATH...", add_votedisk},
    Command{"delete css votedisk", "FUID|PATH...", delete_votedisk},
    Command{"replace css votedisk", "PATH...", replace_votedisk},
    Command{"reload css nodes", "", reload_nodes},
    Command{"replace css key", "", replace_key},
    Command{"create css key", "FILE", create_key},
};

std::vector<std::string> split(std::string_view text) {
    std::istringstream stream{std::string{text}};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    return words;
}

void print_help() {
    std::cout << "Usage: crsctl COMMAND [--run-dir DIR] [--json]\n"
                 "Asks and commands the cssd of this node.\n\nCommands\n";
    for (const Command& command : kCommands) {
        std::cout << "  crsctl " << command.words << (command.arguments.empty() ? "" : " ")
                  << command.arguments << '\n';
    }
    std::cout << "\nOptions\n"
                 "  --run-dir DIR  of the daemon; else CSS_RUN_DIR, else /run/cssd\n"
                 "  --json         one JSON document instead of text, on get, query, check, watch\n"
                 "  --help, --version\n\n"
                 "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 daemon unreachable.\n";
}

/// What stands on the command line.
struct Arguments {
    Invocation invocation;
    bool help = false;
    bool version = false;
    std::string wrong;
};

Arguments parse(std::span<const char* const> given) {
    Arguments result;
    Invocation& invocation = result.invocation;
    const char* const run_dir = std::getenv("CSS_RUN_DIR");
    invocation.run_dir = run_dir != nullptr && *run_dir != '\0' ? run_dir : "/run/cssd";
    constexpr std::string_view kRunDir = "--run-dir";
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string_view word = given[i];
        if (word == "--json") {
            invocation.output = Output::kJson;
        } else if (word == "--help" || word == "-h") {
            result.help = true;
        } else if (word == "--version") {
            result.version = true;
        } else if (word == kRunDir && i + 1 < given.size()) {
            invocation.run_dir = given[++i];
        } else if (word.starts_with("--run-dir=")) {
            invocation.run_dir = word.substr(kRunDir.size() + 1);
        } else if (word == kRunDir) {
            result.wrong = "--run-dir needs a directory";
        } else if (word.starts_with("--")) {
            result.wrong = "unknown option '" + std::string{word} + "'";
        } else {
            invocation.words.emplace_back(word);
        }
    }
    return result;
}

Exit run(Arguments arguments) {
    if (arguments.help) {
        print_help();
        return Exit::kDone;
    }
    if (arguments.version) {
        say("crsctl " CSS_VERSION);
        return Exit::kDone;
    }
    if (!arguments.wrong.empty()) {
        return usage(arguments.wrong);
    }
    auto& words = arguments.invocation.words;
    const Command* const command = find_command(words);
    if (command == nullptr) {
        return usage(words.empty() ? "give a command"
                                   : "unknown command '" + words.front() + " ...'");
    }
    const auto length = static_cast<std::ptrdiff_t>(split(command->words).size());
    arguments.invocation.verb = words.front();
    words.erase(words.begin(), words.begin() + length);
    const bool reads =
        std::ranges::any_of(std::array{"get", "query", "check", "watch"},
                            [&](const char* verb) { return arguments.invocation.verb == verb; });
    if (!reads && arguments.invocation.output == Output::kJson) {
        return usage("--json goes with get, query, check and watch");
    }
    return command->run(arguments.invocation);
}

}  // namespace

const Command* find_command(std::span<const std::string> words) {
    const Command* best = nullptr;
    for (const Command& command : kCommands) {
        const auto own = split(command.words);
        const bool matches =
            own.size() <= words.size() && std::equal(own.begin(), own.end(), words.begin());
        if (matches && (best == nullptr || command.words.size() > best->words.size())) {
            best = &command;
        }
    }
    return best;
}

}  // namespace css::crsctl

int main(int argc, char** argv) {
    try {
        const std::span<const char* const> all{argv, static_cast<std::size_t>(argc)};
        return static_cast<int>(css::crsctl::run(css::crsctl::parse(all.subspan(1))));
    } catch (const std::exception& failed) {
        std::cerr << "crsctl: " << failed.what() << '\n';
        return static_cast<int>(css::crsctl::Exit::kFailed);
    }
}
