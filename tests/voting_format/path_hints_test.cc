#include "voting/format/path_hints.h"

#include <gtest/gtest.h>

#include "tests/voting_format/samples.h"
#include "voting/format/format.h"
#include "voting/format/header.h"

namespace css::voting {
namespace {

using Region = std::array<std::byte, kHeaderSize>;

HeaderRegion full_region() {
    HeaderRegion region;
    region.header = headers_of(samples::new_set(512)).front();
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        region.hints[i].file = {samples::bytes16(static_cast<unsigned char>(0x30 + i))};
        region.hints[i].path = "/dev/disk/by-id/wwn-" + std::to_string(i);
    }
    region.hints[3] = {};
    region.hints[4].path = std::string(kPathMax, 'x');
    return region;
}

TEST(PathHints, ComeBackTheSame) {
    const HeaderRegion region = full_region();
    Region bytes{};
    encode_region(region, bytes);
    HeaderRegion back;
    ASSERT_EQ(decode_region(bytes, back), SectorVerdict::kValid);
    EXPECT_EQ(back, region);
    EXPECT_TRUE(are_path_hints_readable(bytes));
}

TEST(PathHints, AHeaderWithoutThemHasNone) {
    Region bytes{};
    encode_header(full_region().header, bytes);
    EXPECT_EQ(decode_path_hints(bytes), PathHints{});
    EXPECT_TRUE(are_path_hints_readable(bytes));
}

/// A damaged byte costs the hints of its own sector and nothing else: never the header.
TEST(PathHints, DamageCostsThreePlacesAtMost) {
    const HeaderRegion region = full_region();
    Region good{};
    encode_region(region, good);
    for (std::size_t at = 512; at < kHeaderSize; at += 7) {
        Region bytes = good;
        bytes[at] ^= std::byte{0x10};
        EXPECT_FALSE(are_path_hints_readable(bytes)) << at;
        HeaderRegion back;
        ASSERT_EQ(decode_region(bytes, back), SectorVerdict::kValid);
        EXPECT_EQ(back.header, region.header);
        for (std::size_t i = 0; i < kFilesMax; ++i) {
            const bool damaged = at / 512 == 1 + i / 3;
            EXPECT_EQ(back.hints[i], damaged ? PathHint{} : region.hints[i]) << at << ' ' << i;
        }
    }
}

TEST(PathHints, NewsReplaceOnlyWhatTheyKnow) {
    const PathHints old = full_region().hints;
    PathHints news;
    news[2] = {{samples::bytes16(0x77)}, "/new"};
    PathHints expected = old;
    expected[2] = news[2];
    EXPECT_EQ(merged(old, news), expected);
    EXPECT_EQ(merged(old, {}), old);
}

}  // namespace
}  // namespace css::voting
