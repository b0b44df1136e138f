#include <cstdio>
#include <exception>

#include "tools/votefile/options.h"

namespace css::votefile {
namespace {

int run(const CreateOptions& options) {
    return run_create(options);
}
int run(const DumpOptions& options) {
    return run_dump(options);
}
int run(const CheckOptions& options) {
    return run_check(options);
}
int run(const Finish& finish) {
    std::fputs(finish.text.c_str(), finish.exit_code == 0 ? stdout : stderr);
    return finish.exit_code;
}

/// A full disk or a closed pipe must not look like success.
int flushed(int exit_code) {
    return std::fflush(stdout) == 0 ? exit_code : 1;
}

}  // namespace
}  // namespace css::votefile

int main(int argc, char** argv) {
    using namespace css::votefile;
    try {
        const Command command = parse_command_line(argc, argv);
        return flushed(std::visit([](const auto& options) { return run(options); }, command));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "votefile: %s\n", error.what());
        return 1;
    }
}
