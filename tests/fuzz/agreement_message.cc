// What daemons say to each other about files that each of them has a copy of.

#include "cssd/runtime/agreement_message.h"

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    const auto topic = runtime::agreement_topic(input);
    if (const auto message = runtime::decode_agreement(input)) {
        const auto again = runtime::decode_agreement(runtime::encode(*message));
        CSS_CHECK(again == message);
        CSS_CHECK(topic == message->topic);
    }
}

}  // namespace css::fuzz
