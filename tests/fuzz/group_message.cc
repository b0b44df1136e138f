// What the group layers of two nodes say to each other.

#include <algorithm>

#include "cssd/base/check.h"
#include "cssd/group/message.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    if (const auto message = group::decode(input)) {
        CSS_CHECK(std::ranges::equal(group::encode(*message), input));
    }
}

}  // namespace css::fuzz
