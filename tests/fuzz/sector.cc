// The contents of a slot's sectors, in an envelope as it should be; and sectors of any bytes.

#include <algorithm>
#include <array>

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "voting/format/codec.h"
#include "voting/format/envelope.h"

namespace css::fuzz {
namespace {

using voting::SectorKind;
constexpr NodeNumber kSlot{5};
constexpr std::size_t kSize = voting::kSectorSizeSmall;
using Sector = std::array<std::byte, kSize>;
const voting::SectorIdentity kIdentity{.cluster = {}, .file = {}, .sector_size = kSize};

template <class Value, class Decode, class Encode>
void round_trip(const Sector& sector, Decode decode, Encode encode) {
    Value value{};
    if (decode(kIdentity, kSlot, sector, value) != SectorVerdict::kValid) {
        CSS_CHECK(value == Value{});
        return;
    }
    Sector again{};
    encode(kIdentity, kSlot, value, again);
    Value twice{};
    CSS_CHECK(decode(kIdentity, kSlot, again, twice) == SectorVerdict::kValid);
    CSS_CHECK(twice == value);
}

}  // namespace

void run(Input input) {
    if (input.empty()) {
        return;
    }
    const unsigned how = std::to_integer<unsigned>(input.front());
    input = input.subspan(1);
    Sector sector{};
    if (how >= 128) {
        std::copy_n(input.begin(), std::min(input.size(), kSize), sector.begin());
    } else {
        const std::size_t size = std::min(input.size(), voting::kContentsSize);
        std::ranges::copy(input.first(size),
                          voting::contents_of(std::span<std::byte>{sector}).begin());
        const std::array kinds{SectorKind::kHeartbeat, SectorKind::kBallot, SectorKind::kKill};
        voting::seal({.kind = kinds[how % kinds.size()],
                      .slot = static_cast<std::uint8_t>(kSlot.value()),
                      .cluster = {},
                      .file = {}},
                     sector);
    }
    round_trip<voting::Heartbeat>(sector, voting::decode_heartbeat, voting::encode_heartbeat);
    round_trip<voting::Ballot>(sector, voting::decode_ballot, voting::encode_ballot);
    round_trip<KillBlock>(sector, voting::decode_kill, voting::encode_kill);
}

}  // namespace css::fuzz
