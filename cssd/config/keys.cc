#include "cssd/config/keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>

#include "cssd/config/duration.h"
#include "cssd/config/parameters.h"

namespace css::config {
namespace {

Error wanted(std::string_view value, const std::string& right) {
    return Error{.message = "'" + std::string{value} + "' is wrong: give " + right};
}

template <class Number>
Status set_number(Number& target, std::string_view value, Number lowest, Number highest) {
    Number number{};
    const char* end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || number < lowest || number > highest) {
        return wanted(
            value,
            "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
    }
    target = number;
    return Done{};
}

Status set_path(std::string& target, std::string_view value) {
    if (value.empty()) {
        return wanted(value, "a path");
    }
    std::error_code failed;
    const auto path = std::filesystem::absolute(std::filesystem::path{value}, failed);
    if (failed) {
        return Error{.message = "'" + std::string{value} + "': " + failed.message()};
    }
    target = path.lexically_normal().string();
    return Done{};
}

/// Sets one of the values whose names are given; the error lists them.
template <class Choice, std::size_t N>
Status set_choice(Choice& target, std::string_view value, const std::array<Choice, N>& choices) {
    std::string names;
    for (std::size_t i = 0; i < N; ++i) {
        const std::string_view name = name_of(choices.at(i));
        if (name == value) {
            target = choices.at(i);
            return Done{};
        }
        names += i == 0 ? "" : (i + 1 == N ? " or " : ", ");
        names += name;
    }
    return wanted(value, names);
}

Status set_cluster_name(Config& config, std::string_view value) {
    constexpr std::size_t kNameMax = 64;
    constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (value.empty() || value.size() > kNameMax ||
        value.find_first_not_of(kAllowed) != std::string_view::npos) {
        return wanted(value, "1 to 64 letters, digits, '-', '_' or '.'");
    }
    config.cluster_name = value;
    return Done{};
}

Status set_node_number(Config& config, std::string_view value) {
    unsigned number = 0;
    if (auto set = set_number(number, value, 1U, kNodesMax); !set) {
        return set;
    }
    config.node_number = NodeNumber{number};
    return Done{};
}

Status add_voting_file(Config& config, std::string_view value) {
    std::string path;
    if (auto set = set_path(path, value); !set) {
        return set;
    }
    if (std::ranges::find(config.voting_files, path) != config.voting_files.end()) {
        return Error{.message = "'" + path + "' is given twice: name each voting file once"};
    }
    config.voting_files.push_back(std::move(path));
    return Done{};
}

Status set_autorejoin_interval(Config& config, std::string_view value) {
    const auto parsed = parse_duration(value);
    if (!parsed || *parsed < std::chrono::seconds{1} || *parsed > kParameterMax) {
        return wanted(value, "a time from 1 to " + format_duration(kParameterMax) + " seconds");
    }
    config.autorejoin_interval = *parsed;
    return Done{};
}

Status set_command(std::string& target, std::string_view value) {
    constexpr std::size_t kLengthMax = 1000;
    if (value.empty() || value.size() > kLengthMax) {
        return wanted(value, "a command of at most " + std::to_string(kLengthMax) + " characters");
    }
    target = value;
    return Done{};
}

Status set_watchdog_device(Config& config, std::string_view value) {
    if (value == "none") {
        config.watchdog_device.clear();
        return Done{};
    }
    return set_path(config.watchdog_device, value);
}

Status set_log_level(Config& config, std::string_view value) {
    const auto level = parse_log_level(value);
    if (!level) {
        return wanted(value, "trace, debug, info, warning, error, critical or off");
    }
    config.log_level = *level;
    return Done{};
}

Status set_metrics_address(Config& config, std::string_view value) {
    if (value == "none") {
        config.metrics_address.clear();
        return Done{};
    }
    const auto colon = value.rfind(':');
    unsigned port = 0;
    if (colon == std::string_view::npos || colon == 0 ||
        !set_number(port, value.substr(colon + 1), 1U, 65535U)) {
        return wanted(value, "address:port as in 127.0.0.1:9779, or none");
    }
    config.metrics_address = value;
    return Done{};
}

Status set_fence_action(Config& config, std::string_view value) {
    static constexpr std::array kChoices{
        FenceAction::kReboot, FenceAction::kKillClients, FenceAction::kCommand, FenceAction::kExit};
    return set_choice(config.fence_action, value, kChoices);
}

Status set_exit_action(Config& config, std::string_view value) {
    static constexpr std::array kChoices{
        ExitAction::kStayOut, ExitAction::kExit, ExitAction::kReboot};
    return set_choice(config.exit_action, value, kChoices);
}

Status set_start_mode(Config& config, std::string_view value) {
    static constexpr std::array kChoices{StartMode::kEnabled, StartMode::kDisabled};
    return set_choice(config.start_mode, value, kChoices);
}

Status set_sandbox(Config& config, std::string_view value) {
    static constexpr std::array kChoices{Sandbox::kOn, Sandbox::kStrict, Sandbox::kOff};
    return set_choice(config.sandbox, value, kChoices);
}

constexpr std::array kKeys{
    Key{"cluster_name",
        "name of the cluster, as on its voting files",
        Times::kOnce,
        set_cluster_name},
    Key{"nodes_file",
        "list of nodes (/etc/cssd/nodes)",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_path(c.nodes_file, v); }},
    Key{"node_number", "own number, when the address cannot tell", Times::kOnce, set_node_number},
    Key{"voting_file",
        "path of a voting file; give 1 to 15, an odd count",
        Times::kRepeatable,
        add_voting_file},
    Key{"key_file",
        "secret of the interconnect (/etc/cssd/cluster.key)",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_path(c.key_file, v); }},
    Key{"run_dir",
        "control socket and pid file (/run/cssd)",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_path(c.run_dir, v); }},
    Key{"log_dir",
        "alert.log and cssd.trc (/var/log/cssd)",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_path(c.log_dir, v); }},
    Key{"fence_action",
        "reboot (default), kill-clients, command or exit",
        Times::kOnce,
        set_fence_action},
    Key{"fence_command",
        "run with: off NODE_NAME NODE_NUMBER; exit 0 confirms that the node is off",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_command(c.fence_command, v); }},
    Key{"drain_command",
        "run with: NODE_NAME NODE_NUMBER when the last client is gone; exit 0 says that nothing of "
        "them is left (unmounted, detached, keys revoked)",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_command(c.drain_command, v); }},
    Key{"watchdog_device",
        "as in /dev/watchdog, or none (default)",
        Times::kOnce,
        set_watchdog_device},
    Key{"autorejoin_tries",
        "tries to rejoin after kill-clients fencing (3)",
        Times::kOnce,
        [](Config& c, std::string_view v) {
            return set_number(c.autorejoin_tries, v, 0U, 1'000'000U);
        }},
    Key{"autorejoin_interval",
        "time between these tries (300)",
        Times::kOnce,
        set_autorejoin_interval},
    Key{"exit_action",
        "after the last try: stay-out (default), exit or reboot",
        Times::kOnce,
        set_exit_action},
    Key{"start_mode",
        "enabled (default), or disabled: does not join",
        Times::kOnce,
        set_start_mode},
    Key{"weight",
        "counts when cohorts have equally many nodes (1)",
        Times::kOnce,
        [](Config& c, std::string_view v) {
            return set_number<std::uint32_t>(c.weight, v, 1U, kWeightMax);
        }},
    Key{"realtime_priority",
        "1 to 99, or 0 for none (4)",
        Times::kOnce,
        [](Config& c, std::string_view v) { return set_number(c.realtime_priority, v, 0U, 99U); }},
    Key{"sandbox",
        "what is given up after the start: on (default: most capabilities, dangerous system "
        "calls), strict (all calls that are not known to be needed), off",
        Times::kOnce,
        set_sandbox},
    Key{"log_level",
        "trace, debug, info (default), warning, error, critical, off",
        Times::kOnce,
        set_log_level},
    Key{"metrics_address",
        "HTTP for metrics, as in 127.0.0.1:9779, or none (default)",
        Times::kOnce,
        set_metrics_address},
};

}  // namespace

std::span<const Key> keys() {
    return kKeys;
}

const Key* find_key(std::string_view name) {
    const auto* const found = std::ranges::find(kKeys, name, &Key::name);
    return found == kKeys.end() ? nullptr : found;
}

}  // namespace css::config
