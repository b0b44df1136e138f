#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "cssd/config/log_level.h"

namespace css::config {

enum class FenceAction : std::uint8_t { kReboot, kKillClients, kCommand, kExit };
enum class ExitAction : std::uint8_t { kStayOut, kExit, kReboot };
enum class StartMode : std::uint8_t { kEnabled, kDisabled };
/// What the daemon gives up once it has started.
enum class Sandbox : std::uint8_t {
    kOn,      ///< Capabilities, programs, system calls that it never needs.
    kStrict,  ///< Besides, every system call that it is not known to need.
    kOff,     ///< Nothing.
};

std::string_view name_of(FenceAction action);
std::string_view name_of(ExitAction action);
std::string_view name_of(StartMode mode);
std::string_view name_of(Sandbox sandbox);

/// From this weight on a node is `css_critical`: the attribute adds it to the weight 1..999 that
/// the administrator gave.
inline constexpr std::uint32_t kCriticalWeight = 1000;
inline constexpr std::uint32_t kWeightMax = 2 * kCriticalWeight - 1;

/// Every key of the configuration file (INTERFACE, Configuration), checked. Empty strings: not
/// given. Relative paths are taken from where the daemon was started.
struct Config {
    std::string file;  ///< The configuration file itself.
    std::string cluster_name;
    std::string nodes_file = "/etc/cssd/nodes";
    std::optional<NodeNumber> node_number;  ///< Nothing: found by binding.
    std::vector<std::string> voting_files;  ///< 1 to 15, an odd count, no path twice.
    std::string key_file = "/etc/cssd/cluster.key";
    std::string run_dir = "/run/cssd";
    std::string log_dir = "/var/log/cssd";
    FenceAction fence_action = FenceAction::kReboot;
    std::string fence_command;    ///< Given whenever fence_action is `command`.
    std::string drain_command;    ///< Empty: a dead client leaves no I/O behind.
    std::string watchdog_device;  ///< Empty: none.
    unsigned autorejoin_tries = 3;
    std::chrono::milliseconds autorejoin_interval = std::chrono::minutes{5};
    ExitAction exit_action = ExitAction::kStayOut;
    StartMode start_mode = StartMode::kEnabled;
    std::uint32_t weight = 1;        ///< 1..999, and 1000 more with css_critical.
    unsigned realtime_priority = 4;  ///< 0: none; else SCHED_RR's 1..99.
    Sandbox sandbox = Sandbox::kOn;
    LogLevel log_level = LogLevel::kInfo;
    std::string metrics_address;  ///< `host:port`; empty: none.
};

enum class RunMode { kForeground, kDaemon };

/// Start the daemon with this.
struct Start {
    Config config;
    RunMode mode = RunMode::kForeground;
};
/// Print this and end: `text` (whole lines) on stdout when the exit code is 0 (--help, --version),
/// else on stderr. 2: wrong usage of the command line; 1: wrong configuration file.
struct Finish {
    int exit_code = 0;
    std::string text;
};

/// Reads the command line and the configuration file that it names (default
/// /etc/cssd/cssd.conf). Options on the command line win over the file. Throws nothing.
std::variant<Start, Finish> load_config(int argc, const char* const* argv);

/// Sets one key in the configuration file for later starts, keeping every other line: replaces the
/// line that sets it, or adds one at the end. The new file replaces the old one in one step.
Status save_key(const std::string& file, std::string_view key, std::string_view value);

}  // namespace css::config
