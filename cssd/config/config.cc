#include "cssd/config/config.h"

#include <algorithm>
#include <exception>
#include <map>
#include <sstream>

#include <boost/program_options.hpp>

#include "cssd/config/keys.h"

namespace css::config {
namespace {

namespace po = boost::program_options;

constexpr const char* kDefaultFile = "/etc/cssd/cssd.conf";

std::string option_name(std::string_view key) {
    std::string name{key};
    std::ranges::replace(name, '_', '-');
    return name;
}

po::options_description all_options() {
    po::options_description options{
        "Usage: cssd [--config FILE] [OPTION]...\n"
        "The node arbiter of a cluster. Every key of the configuration file is an option too.\n\n"
        "Options"};
    auto add = options.add_options();
    add("config", po::value<std::string>()->default_value(kDefaultFile), "configuration file");
    add("daemon", "detach and run in the background");
    add("help", "show this and end");
    add("version", "show the version and end");
    using Values = std::vector<std::string>;
    for (const Key& key : keys()) {
        add(option_name(key.name).c_str(), po::value<Values>(), std::string{key.help}.c_str());
    }
    return options;
}

Finish usage_error(const std::string& reason) {
    return {.exit_code = 2, .text = "cssd: " + reason + " (see cssd --help)\n"};
}

Finish config_error(const std::string& reason) {
    return {.exit_code = 1, .text = "cssd: " + reason + "\n"};
}

po::variables_map parse_command_line(int argc,
                                     const char* const* argv,
                                     const po::options_description& options) {
    // Abbreviated options would change their meaning when another option is added.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    const auto parsed = po::command_line_parser(argc, argv).options(options).style(style).run();
    for (const auto& option : parsed.options) {
        if (option.position_key >= 0) {
            throw po::error("unexpected argument '" + option.value.at(0) + "'");
        }
    }
    po::variables_map given;
    po::store(parsed, given);
    return given;
}

/// Applies the keys given on the command line and says which they are.
Status apply_command_line(const po::variables_map& given,
                          Config& config,
                          std::vector<std::string_view>& taken) {
    for (const Key& key : keys()) {
        const auto found = given.find(option_name(key.name));
        if (found == given.end()) {
            continue;
        }
        const auto& values = found->second.as<std::vector<std::string>>();
        if (key.times == Times::kOnce && values.size() > 1) {
            return Error{.message = "--" + option_name(key.name) + ": give it once"};
        }
        for (const auto& value : values) {
            if (auto set = key.set(config, value); !set) {
                return Error{.message = "--" + option_name(key.name) + ": " + set.error().message};
            }
        }
        taken.push_back(key.name);
    }
    return Done{};
}

/// Applies the file, leaving out what the command line gave.
Status apply_file(Config& config, const std::vector<std::string_view>& taken) {
    const auto assignments = read_assignments(config.file);
    if (!assignments) {
        return assignments.error();
    }
    std::map<std::string, unsigned, std::less<>> seen;
    Config ignored;
    for (const Assignment& assignment : *assignments) {
        const std::string where =
            config.file + ":" + std::to_string(assignment.line) + ": " + assignment.key + ": ";
        const Key* const key = find_key(assignment.key);
        if (key == nullptr) {
            return Error{.message = where +
                                    "unknown key; cssd --help lists the keys (as options "
                                    "with '-' for '_')"};
        }
        const auto [first, fresh] = seen.emplace(assignment.key, assignment.line);
        if (!fresh && key->times == Times::kOnce) {
            return Error{.message = where + "give it once; line " + std::to_string(first->second) +
                                    " has it already"};
        }
        const bool overridden = std::ranges::find(taken, key->name) != taken.end();
        if (auto set = key->set(overridden ? ignored : config, assignment.value); !set) {
            return Error{.message = where + set.error().message};
        }
    }
    return Done{};
}

Status check_complete(const Config& config) {
    const std::string where = config.file + ": ";
    if (config.cluster_name.empty()) {
        return Error{.message = where +
                                "cluster_name: missing; give the name that is on the "
                                "voting files"};
    }
    if (config.voting_files.empty()) {
        return Error{.message = where + "voting_file: missing; give an odd count, 1 to 15"};
    }
    if (config.voting_files.size() > kFilesMax || config.voting_files.size() % 2 == 0) {
        return Error{.message = where +
                                "voting_file: " + std::to_string(config.voting_files.size()) +
                                " given; give an odd count, 1 to 15"};
    }
    if (config.fence_action == FenceAction::kCommand && config.fence_command.empty()) {
        return Error{.message = where + "fence_command: missing; fence_action = command needs it"};
    }
    return Done{};
}

std::variant<Start, Finish> load(int argc, const char* const* argv) {
    const auto options = all_options();
    const auto given = parse_command_line(argc, argv, options);
    if (given.count("help") != 0) {
        std::ostringstream text;
        text << options;
        return Finish{.exit_code = 0, .text = text.str()};
    }
    if (given.count("version") != 0) {
        return Finish{.exit_code = 0, .text = "cssd " CSS_VERSION "\n"};
    }
    Start start;
    start.config.file = given["config"].as<std::string>();
    start.mode = given.count("daemon") != 0 ? RunMode::kDaemon : RunMode::kForeground;
    std::vector<std::string_view> taken;
    if (auto applied = apply_command_line(given, start.config, taken); !applied) {
        return usage_error(applied.error().message);
    }
    if (auto applied = apply_file(start.config, taken); !applied) {
        return config_error(applied.error().message);
    }
    if (auto complete = check_complete(start.config); !complete) {
        return config_error(complete.error().message);
    }
    return start;
}

}  // namespace

std::string_view name_of(FenceAction action) {
    switch (action) {
        case FenceAction::kReboot: return "reboot";
        case FenceAction::kKillClients: return "kill-clients";
        case FenceAction::kCommand: return "command";
        case FenceAction::kExit: return "exit";
    }
    return "";
}

std::string_view name_of(ExitAction action) {
    switch (action) {
        case ExitAction::kStayOut: return "stay-out";
        case ExitAction::kExit: return "exit";
        case ExitAction::kReboot: return "reboot";
    }
    return "";
}

std::string_view name_of(StartMode mode) {
    switch (mode) {
        case StartMode::kEnabled: return "enabled";
        case StartMode::kDisabled: return "disabled";
    }
    return "";
}

std::string_view name_of(Sandbox sandbox) {
    switch (sandbox) {
        case Sandbox::kOn: return "on";
        case Sandbox::kStrict: return "strict";
        case Sandbox::kOff: return "off";
    }
    return "";
}

std::variant<Start, Finish> load_config(int argc, const char* const* argv) {
    try {
        return load(argc, argv);
    } catch (const std::exception& wrong) {  // Boost.Program_options and the standard library.
        return usage_error(wrong.what());
    }
}

}  // namespace css::config
