#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "cssd/base/result.h"
#include "cssd/runtime/control_client.h"

/// The administrator's command: one small function for each command, in the table of main.cc.
namespace css::crsctl {

/// INTERFACE, crsctl: exit codes.
enum class Exit { kDone = 0, kFailed = 1, kUsage = 2, kUnreachable = 3 };

enum class Output { kText, kJson };

/// What one invocation is about.
struct Invocation {
    std::string verb;  ///< `get`, `set`, ...
    std::string run_dir;
    Output output = Output::kText;
    std::vector<std::string> words;  ///< What follows the command's own words.
};

/// One line of the table.
struct Command {
    std::string_view words;      ///< As in `get css`.
    std::string_view arguments;  ///< As in `misscount|disktimeout`, for help and usage errors.
    Exit (*run)(const Invocation& invocation);
};
/// The command that an invocation of these words is; the longest match. Null: none.
const Command* find_command(std::span<const std::string> words);

// --------------------------------------------------------------------- shared by commands

/// Prints the reason and the closing line `CRS-4000: Command Get failed, ...` on stdout.
Exit fail(const Invocation& invocation, std::string_view reason, Exit code = Exit::kFailed);
/// Prints CRS-4530 as the reason.
Exit unreachable(const Invocation& invocation);
/// One line on stderr: what is wrong with the command line.
Exit usage(std::string_view reason);
/// Prints one line on stdout.
void say(std::string_view line);

/// What a command gets from the daemon: the answer, or the exit code when it has already told the
/// user that there is none. A refusal of the daemon is such a failure.
struct Reply {
    Exit exit = Exit::kDone;
    nlohmann::json answer;
    [[nodiscard]] bool good() const { return exit == Exit::kDone; }
};
/// For queries: the daemon answers them at once, or it hangs.
Reply query(const Invocation& invocation, const nlohmann::json& request);
/// For changes: waits until the daemon is through.
Reply change(const Invocation& invocation, const nlohmann::json& request);
/// The document about everything (cssd/runtime/view.h).
Reply view(const Invocation& invocation);
/// A change that prints one line when it is done.
Exit change_and_say(const Invocation& invocation,
                    const nlohmann::json& request,
                    std::string_view line);

/// A field of an answer as text; numbers without quotes, empty when it is null or missing.
std::string text_at(const nlohmann::json& document, std::string_view pointer);
/// The texts of a list, separated by blanks.
std::string list_at(const nlohmann::json& document, std::string_view pointer);
std::int64_t number_at(const nlohmann::json& document, std::string_view pointer);
/// The list itself; empty when there is none.
nlohmann::json array_at(const nlohmann::json& document, std::string_view pointer);

/// Columns of a table: blanks behind or before the text, up to the width.
std::string padded(std::string text, std::size_t width);
std::string right(const std::string& text, std::size_t width);

// ------------------------------------------------------------------------------ commands

Exit get_css(const Invocation& invocation);
Exit set_css(const Invocation& invocation);
Exit unset_css(const Invocation& invocation);
Exit get_server(const Invocation& invocation);
Exit set_server(const Invocation& invocation);
Exit get_log(const Invocation& invocation);
Exit set_log(const Invocation& invocation);
Exit check_css(const Invocation& invocation);
Exit check_cluster(const Invocation& invocation);
Exit query_votedisk(const Invocation& invocation);
Exit query_members(const Invocation& invocation);
Exit query_status(const Invocation& invocation);
Exit query_groups(const Invocation& invocation);
Exit query_history(const Invocation& invocation);
Exit watch_events(const Invocation& invocation);
Exit evict_node(const Invocation& invocation);
Exit stop_css(const Invocation& invocation);
Exit stop_cluster(const Invocation& invocation);
Exit enable_css(const Invocation& invocation);
Exit disable_css(const Invocation& invocation);
Exit create_key(const Invocation& invocation);
Exit add_votedisk(const Invocation& invocation);
Exit delete_votedisk(const Invocation& invocation);
Exit replace_votedisk(const Invocation& invocation);
Exit reload_nodes(const Invocation& invocation);
Exit replace_key(const Invocation& invocation);

}  // namespace css::crsctl
