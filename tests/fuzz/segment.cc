// One piece of the stream between two group layers.

#include "cssd/group/segment.h"

#include <algorithm>

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    constexpr NodeNumber kSender{2};
    if (const auto segment = group::decode_segment(kSender, input)) {
        CSS_CHECK(segment->sender.node == kSender);
        CSS_CHECK(segment->payload.size() <= group::kSegmentPayloadMax);
        CSS_CHECK(std::ranges::equal(group::encode(*segment), input));
    }
}

}  // namespace css::fuzz
