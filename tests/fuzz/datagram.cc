// A datagram before it is opened: only what was sealed with the key, unchanged, is accepted.

#include <algorithm>
#include <array>
#include <vector>

#include "cssd/base/check.h"
#include "netbeat/wire/seal.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {
namespace {

using netbeat::DatagramVerdict;
constexpr NodeNumber kSender{3};

netbeat::Key key_of(unsigned char fill) {
    std::array<std::byte, netbeat::kKeySize> bytes{};
    bytes.fill(std::byte{fill});
    return netbeat::Key{bytes};
}

std::vector<std::byte> sealed_heartbeat(const netbeat::Sealer& sealer) {
    netbeat::Heartbeat h;
    h.sender = {kSender, Unique{7}};
    h.sequence = Sequence{9};
    h.record.parameters = Parameters{};
    std::vector<std::byte> out(netbeat::kDatagramSizeMax);
    out.resize(sealer.seal(h, out));
    return out;
}

std::vector<std::byte> sealed_message(const netbeat::Sealer& sealer) {
    const std::array<std::byte, 40> text{std::byte{1}, std::byte{2}};
    std::vector<std::byte> out(netbeat::kUnfragmentedMax);
    out.resize(sealer.seal_message(kSender, text, out));
    return out;
}

}  // namespace

void run(Input input) {
    static const netbeat::Sealer sealer{ClusterGuid{}, key_of(1)};
    static const auto heartbeat = sealed_heartbeat(sealer);
    static const auto message = sealed_message(sealer);
    if (input.empty()) {
        return;
    }
    const unsigned how = std::to_integer<unsigned>(input.front());
    const NodeNumber sender{how / 4 % kNodesMax + 1};
    input = input.subspan(1);
    // As it is, or a good one with parts of it changed and, maybe, cut short.
    std::vector<std::byte> datagram{input.begin(), input.end()};
    if (how % 4 != 0) {
        datagram = how % 2 != 0 ? heartbeat : message;
        if (how % 4 == 3 && !input.empty()) {
            datagram.resize(std::min<std::size_t>(datagram.size(),
                                                  std::to_integer<std::size_t>(input.front())));
        }
        patch(datagram, input);
    }
    static_cast<void>(netbeat::kind_of(datagram));
    static_cast<void>(netbeat::sender_named(datagram));
    netbeat::Heartbeat opened;
    if (sealer.open(datagram, sender, opened) == DatagramVerdict::kAccepted) {
        CSS_CHECK(datagram == heartbeat && sender == kSender && opened.sender.node == sender);
    }
    std::array<std::byte, netbeat::kMessageSizeMax> plain{};
    if (sealer.open_message(datagram, sender, plain) == DatagramVerdict::kAccepted) {
        CSS_CHECK(datagram == message && sender == kSender);
    }
}

}  // namespace css::fuzz
