#include "voting/io/system_error.h"

#include <array>
#include <cstring>

namespace css::voting {

std::string errno_text(int number) {
    std::array<char, 128> buffer{};
    // The GNU form: it may answer with a text of its own instead of filling the buffer.
    const char* text = ::strerror_r(number, buffer.data(), buffer.size());
    return std::string{text} + " (errno " + std::to_string(number) + ")";
}

Error system_error(const std::string& what, int number) {
    return Error{ErrorCode::kSystem, number, what + ": " + errno_text(number)};
}

}  // namespace css::voting
