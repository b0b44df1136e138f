#include "cssd/config/duration.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "cssd/base/check.h"

namespace css::config {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHowTo = "write seconds as in 30, or 800ms, 30s, 5min";

Error wrong(std::string_view text, std::string_view reason) {
    std::string shown{text.substr(0, 40)};
    for (char& c : shown) {
        c = (c < ' ' || c > '~') ? '?' : c;
    }
    std::string message = "'" + shown + "' is no duration: ";
    message += reason;
    return Error{.message = std::move(message)};
}

/// Milliseconds of one unit; nothing for an unknown suffix.
std::optional<std::uint64_t> unit_of(std::string_view suffix) {
    if (suffix.empty() || suffix == "s") {
        return 1000;
    }
    if (suffix == "ms") {
        return 1;
    }
    if (suffix == "min") {
        return 60'000;
    }
    return std::nullopt;
}

/// Reads digits only; nothing when the number does not fit.
std::optional<std::uint64_t> to_number(std::string_view digits) {
    std::uint64_t value = 0;
    for (const char c : digits) {
        if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
            __builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value)) {
            return std::nullopt;
        }
    }
    return value;
}

/// Milliseconds of `0.DIGITS` units, if that is a whole number of them. No unit is divisible by
/// more than 10^5, so longer fractions (without trailing zeros) never are.
std::optional<std::uint64_t> fraction_of(std::string_view digits, std::uint64_t unit) {
    digits = digits.substr(0, digits.find_last_not_of('0') + 1);
    constexpr std::size_t kDigitsMax = 5;
    if (digits.size() > kDigitsMax) {
        return std::nullopt;
    }
    std::uint64_t scale = 1;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        scale *= 10;
    }
    const auto value = to_number(digits);
    CSS_CHECK(value.has_value());
    const std::uint64_t scaled = *value * unit;
    return scaled % scale == 0 ? std::optional{scaled / scale} : std::nullopt;
}

/// The parts of `12.5ms`.
struct Parts {
    std::string_view whole;
    std::string_view fraction;
    std::string_view suffix;
    bool has_point = false;
};

Parts split(std::string_view text) {
    Parts parts;
    parts.whole = text.substr(0, text.find_first_not_of(kDigits));
    text.remove_prefix(parts.whole.size());
    parts.has_point = text.starts_with('.');
    if (parts.has_point) {
        text.remove_prefix(1);
        parts.fraction = text.substr(0, text.find_first_not_of(kDigits));
        text.remove_prefix(parts.fraction.size());
    }
    parts.suffix = text;
    return parts;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    if (text.empty()) {
        return wrong(text, kHowTo);
    }
    if (text.front() == '-') {
        return wrong(text, "it is negative");
    }
    if (text.front() == '+') {
        return wrong(text, "leave out the sign");
    }
    const Parts parts = split(text);
    if (parts.whole.empty() || (parts.has_point && parts.fraction.empty())) {
        return wrong(text, kHowTo);
    }
    const auto unit = unit_of(parts.suffix);
    if (!unit) {
        return wrong(text, kHowTo);
    }
    if (parts.has_point && parts.suffix.empty()) {
        return wrong(text, "a number without a unit is whole seconds");
    }
    const auto fraction = fraction_of(parts.fraction, *unit);
    if (!fraction) {
        return wrong(text, "it is no whole number of milliseconds");
    }
    const auto whole = to_number(parts.whole);
    std::uint64_t total = 0;
    if (!whole || __builtin_mul_overflow(*whole, *unit, &total) ||
        __builtin_add_overflow(total, *fraction, &total) ||
        total > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return wrong(text, "it is too large");
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(total)};
}

std::string format_duration(std::chrono::milliseconds duration) {
    const auto count = duration.count();
    return count % 1000 == 0 ? std::to_string(count / 1000) : std::to_string(count) + "ms";
}

}  // namespace css::config
