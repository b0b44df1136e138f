// The key file; no error shows what it holds.

#include "netbeat/wire/key_file.h"

#include <string>

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    const std::string& path = file_with(input);
    const auto key = netbeat::load_key_file(path);
    if (key) {
        CSS_CHECK(input.size() >= 2 * netbeat::kKeySize);
        return;
    }
    CSS_CHECK(key.error().message.find(path) != std::string::npos);
    const std::string text = text_of(input);
    constexpr std::size_t kTelling = netbeat::kKeySize;  // Less may be words of the message.
    CSS_CHECK(text.size() < kTelling || key.error().message.find(text) == std::string::npos);
}

}  // namespace css::fuzz
