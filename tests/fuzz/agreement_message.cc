// What daemons say to each other about their nodes files.

#include "cssd/runtime/nodes_message.h"

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    if (const auto message = runtime::decode_nodes_message(input)) {
        const auto again = runtime::decode_nodes_message(runtime::encode(*message));
        CSS_CHECK(again == message);
    }
}

}  // namespace css::fuzz
