#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/voting_format/samples.h"
#include "voting/format/slot_table.h"

/// What one read costs the disk thread and the simulator. Prints nanoseconds; judges nothing.
namespace css::voting {
namespace {

template <class Work>
double nanoseconds_each(int rounds, Work work) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < rounds; ++i) {
        work(i);
    }
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    return took.count() / rounds;
}

void measure(std::size_t sector_size) {
    constexpr unsigned kSlots = 3;
    constexpr int kRounds = 300'000;
    const Header header = headers_of(samples::new_set(sector_size)).front();
    const Layout layout{sector_size};
    std::vector<std::byte> file = formatted_image(header);
    const auto read =
        std::span{file}.subspan(layout.slots(kSlots).offset, layout.slots(kSlots).size);
    Heartbeat heartbeat = samples::heartbeat();
    const auto write = [&](NodeNumber n, int i) {
        heartbeat.sequence = Sequence{static_cast<std::uint64_t>(i)};
        encode_heartbeat(header.identity(),
                         n,
                         heartbeat,
                         std::span{file}.subspan(layout.slot(n).offset, sector_size));
    };
    for (std::size_t i = 0; i < kSlots; ++i) {
        write(NodeNumber::from_index(i), 1);
    }
    SlotTable table{header.identity()};
    table.update(read, kSlots);
    std::printf("sectors of %zu: update of 3 slots, unchanged %.0f ns",
                sector_size,
                nanoseconds_each(kRounds, [&](int) { table.update(read, kSlots); }));
    const double encoding = nanoseconds_each(kRounds, [&](int i) { write(NodeNumber{2}, i); });
    const double both = nanoseconds_each(kRounds, [&](int i) {
        write(NodeNumber{2}, i);
        table.update(read, kSlots);
    });
    std::printf(
        ", one heartbeat new %.0f ns; encoding a heartbeat %.0f ns\n", both - encoding, encoding);
}

}  // namespace
}  // namespace css::voting

int main() {
    css::voting::measure(512);
    css::voting::measure(4096);
}
