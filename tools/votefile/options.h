#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cssd/base/timing.h"

namespace css::votefile {

enum class Existing { kRefuse, kOverwrite };
enum class Output { kText, kJson };

struct CreateOptions {
    std::string cluster_name;
    Parameters parameters;
    unsigned slots_max = 0;
    std::optional<std::size_t> sector_size;  ///< Nothing: as small as all files allow.
    Existing existing = Existing::kRefuse;
    std::vector<std::string> paths;
};
struct DumpOptions {
    Output output = Output::kText;
    std::vector<std::string> paths;
};
struct CheckOptions {
    std::vector<std::string> paths;
};
/// Print and end: exit code 0 (--help, --version) on stdout, 2 (wrong usage) on stderr.
struct Finish {
    int exit_code = 0;
    std::string text;
};
using Command = std::variant<CreateOptions, DumpOptions, CheckOptions, Finish>;

/// Only what can be told from the words alone; rules about values are the commands'.
Command parse_command_line(int argc, const char* const* argv);

/// Each returns the exit code: 0 done, 1 refused or failed, with the reason on stderr.
int run_create(const CreateOptions& options);
int run_dump(const DumpOptions& options);
int run_check(const CheckOptions& options);

}  // namespace css::votefile
