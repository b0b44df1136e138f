// A message between daemon and guardian: 64 bytes, each of which means something or must be zero.

#include <algorithm>

#include "cssd/base/check.h"
#include "kill_block/guardian/message.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    if (const auto message = guardian::decode(input)) {
        CSS_CHECK(std::ranges::equal(guardian::encode(*message), input));
    }
}

}  // namespace css::fuzz
