// Prints sizes of datagrams and times of the codec and of sealing. Figures, not a test.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "cssd/base/check.h"
#include "netbeat/wire/seal.h"
#include "tests/netbeat/heartbeats.h"

namespace css::netbeat {
namespace {

/// Nanoseconds per call: the best of several runs, which a busy machine disturbs least.
template <class Call>
double nanoseconds(int calls, Call call) {
    double best = 1e18;
    for (int run = 0; run < 7; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < calls; ++i) {
            call();
        }
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / calls);
    }
    return best;
}

void measure(unsigned nodes) {
    const Sealer sealer{ClusterGuid{}, Key{std::array<std::byte, kKeySize>{}}};
    Heartbeat h = member_heartbeat(NodeNumber{2}, nodes, 5);
    Heartbeat back;
    std::array<std::byte, kPlainSizeMax> plain{};
    std::array<std::byte, kDatagramSizeMax> datagram{};
    std::uint64_t sequence = 1;
    const double codec = nanoseconds(200'000, [&] {
        h.sequence = Sequence{++sequence};
        const std::size_t size = encode(h, plain);
        CSS_CHECK(decode(std::span{plain}.first(size), back) == PlainVerdict::kValid);
    });
    const double sealing = nanoseconds(20'000, [&] {
        h.sequence = Sequence{++sequence};
        const std::size_t size = sealer.seal(h, datagram);
        CSS_CHECK(sealer.open(std::span{datagram}.first(size), NodeNumber{2}, back) ==
                  DatagramVerdict::kAccepted);
    });
    std::array<std::byte, kDatagramSizeMax> garbage{};
    std::uint64_t refused = 0;
    const double refusing = nanoseconds(200'000, [&] {
        if (sealer.open(garbage, NodeNumber{2}, back) == DatagramVerdict::kBadMagic) {
            ++refused;
        }
    });
    CSS_CHECK(refused > 0);
    std::printf(
        "%2u nodes: plain %zu bytes, datagram %zu bytes; encode + decode %.0f ns, "
        "encode + seal + open + decode %.2f us, refusing garbage %.0f ns\n",
        nodes,
        encode(h, plain),
        sealer.seal(h, datagram),
        codec,
        sealing / 1000,
        refusing);
}

}  // namespace
}  // namespace css::netbeat

int main() {
    for (const unsigned nodes : {1U, 3U, 8U, 64U}) {
        css::netbeat::measure(nodes);
    }
    return 0;
}
