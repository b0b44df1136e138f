// A heartbeat after opening: what is accepted is written down again as the same bytes.

#include <algorithm>
#include <array>

#include "cssd/base/check.h"
#include "netbeat/wire/codec.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    netbeat::Heartbeat h;
    const netbeat::PlainVerdict verdict = netbeat::decode(input, h);
    if (verdict != netbeat::PlainVerdict::kValid) {
        CSS_CHECK(h == netbeat::Heartbeat{});
        CSS_CHECK(!netbeat::describe(verdict).empty());
        return;
    }
    std::array<std::byte, netbeat::kPlainSizeMax> again{};
    const std::size_t size = netbeat::encode(h, again);
    CSS_CHECK(std::ranges::equal(std::span{again}.first(size), input));
}

}  // namespace css::fuzz
