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
    // Digits of a key; other texts may be words of the message.
    const std::string text = text_of(input);
    const bool digits =
        text.size() >= 8 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    CSS_CHECK(!digits || key.error().message.find(text) == std::string::npos);
}

}  // namespace css::fuzz
