// Prints sizes of datagrams and times of the codec and of sealing. Figures, not a test.

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "cssd/base/check.h"
#include "netbeat/wire/seal.h"
#include "tests/netbeat/heartbeats.h"

namespace css::netbeat {
namespace {

/// Time of this thread on a processor: other programs of a busy machine do not count.
double processor_nanoseconds() {
    timespec time{};
    CSS_CHECK(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// Nanoseconds per call, the best of several runs.
template <class Call>
double nanoseconds(int calls, Call call) {
    double best = 1e18;
    for (int run = 0; run < 7; ++run) {
        const double begin = processor_nanoseconds();
        for (int i = 0; i < calls; ++i) {
            call();
        }
        best = std::min(best, (processor_nanoseconds() - begin) / calls);
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
