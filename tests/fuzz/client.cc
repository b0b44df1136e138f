// The head of a message of a client.

#include <algorithm>

#include "cssd/base/check.h"
#include "cssd/client/message.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    client::MessageBytes bytes;
    const std::size_t size = std::min(input.size(), client::kMessageSize);
    std::ranges::transform(input.first(size), std::begin(bytes.at), [](std::byte b) {
        return std::to_integer<unsigned char>(b);
    });
    client::Message message;
    if (client::decode(bytes, input.size(), message)) {
        CSS_CHECK(message.body == input.size() - client::kMessageSize);
        const auto again = client::encode(message.kind, message.status, message.body);
        CSS_CHECK(std::ranges::equal(again.at, bytes.at));
    }
}

}  // namespace css::fuzz
