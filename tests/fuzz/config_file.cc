// The configuration file: read as the daemon does; a key that is saved to it is there afterwards.

#include <array>
#include <string>
#include <variant>

#include "cssd/base/check.h"
#include "cssd/config/config.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {
namespace {

std::variant<config::Start, config::Finish> load(const std::string& path) {
    const std::array arguments{"cssd", "--config", path.c_str()};
    return config::load_config(arguments.size(), arguments.data());
}

}  // namespace

void run(Input input) {
    const std::string& path = file_with(input);
    const auto before = load(path);
    if (const auto* const end = std::get_if<config::Finish>(&before)) {
        CSS_CHECK(end->exit_code != 0 && !end->text.empty());
        return;
    }
    CSS_CHECK(config::save_key(path, "weight", "77"));
    const auto after = load(path);
    const auto* const start = std::get_if<config::Start>(&after);
    CSS_CHECK(start != nullptr && start->config.weight == 77);
    CSS_CHECK(start->config.voting_files == std::get<config::Start>(before).config.voting_files);
}

}  // namespace css::fuzz
