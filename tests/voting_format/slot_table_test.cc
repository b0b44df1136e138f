#include "voting/format/slot_table.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/voting_format/samples.h"
#include "voting/format/format.h"

namespace css::voting {
namespace {

/// A voting file in memory.
class Image {
public:
    explicit Image(std::size_t sector_size)
        : header_(headers_of(samples::new_set(sector_size)).front()),
          layout_(sector_size),
          bytes_(formatted_image(header_)) {}

    SectorIdentity identity() const { return header_.identity(); }
    std::span<const std::byte> read(unsigned slots) const {
        const Extent extent = layout_.slots(slots);
        return std::span{bytes_}.subspan(extent.offset, extent.size);
    }
    std::span<std::byte> at(Extent extent) {
        return std::span{bytes_}.subspan(extent.offset, extent.size);
    }
    std::span<std::byte> own(NodeNumber n) { return at(layout_.heartbeat_and_ballot(n)); }
    void write(NodeNumber n, const Heartbeat& h, const Ballot& b) {
        encode_heartbeat(identity(), n, h, own(n).first(layout_.sector_size()));
        encode_ballot(identity(), n, b, own(n).last(layout_.sector_size()));
    }
    void write(NodeNumber n, const KillBlock& k) {
        encode_kill(identity(), n, k, at(layout_.kill(n)));
    }
    const Layout& layout() const { return layout_; }

private:
    Header header_;
    Layout layout_;
    std::vector<std::byte> bytes_;
};

void expect_same(const SlotView& a, const SlotView& b) {
    EXPECT_EQ(a.heartbeat_verdict, b.heartbeat_verdict);
    EXPECT_EQ(a.ballot_verdict, b.ballot_verdict);
    EXPECT_EQ(a.kill_verdict, b.kill_verdict);
    EXPECT_EQ(a.heartbeat, b.heartbeat);
    EXPECT_EQ(a.ballot, b.ballot);
    EXPECT_EQ(a.kill, b.kill);
}

class SlotTableAt : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(SectorSize, SlotTableAt, testing::Values(512, 4096));

TEST_P(SlotTableAt, ShowsFormattedAndWrittenSlots) {
    Image image{GetParam()};
    SlotTable table{image.identity()};
    table.update(image.read(3), 3);
    for (const SlotView& view : table.views(3)) {
        SlotView empty;
        empty.heartbeat_verdict = empty.ballot_verdict = empty.kill_verdict = SectorVerdict::kValid;
        expect_same(view, empty);
    }
    image.write(NodeNumber{2}, samples::heartbeat(), samples::ballot());
    image.write(NodeNumber{3}, samples::kill());
    table.update(image.read(3), 3);
    EXPECT_EQ(table.views(3)[1].heartbeat, samples::heartbeat());
    EXPECT_EQ(table.views(3)[1].ballot, samples::ballot());
    EXPECT_EQ(table.views(3)[2].kill, samples::kill());
    EXPECT_EQ(table.views(3)[0].heartbeat, Heartbeat{});
}

TEST_P(SlotTableAt, AnUnreadableSectorIsNeitherEmptyNorWhatItWas) {
    Image image{GetParam()};
    SlotTable table{image.identity()};
    image.write(NodeNumber{1}, samples::heartbeat(), samples::ballot());
    table.update(image.read(1), 1);
    const std::byte before = image.own(NodeNumber{1})[100];
    image.own(NodeNumber{1})[100] ^= std::byte{1};
    table.update(image.read(1), 1);
    EXPECT_EQ(table.views(1)[0].heartbeat_verdict, SectorVerdict::kBadChecksum);
    EXPECT_EQ(table.views(1)[0].heartbeat, Heartbeat{});
    EXPECT_EQ(table.views(1)[0].ballot, samples::ballot());
    image.own(NodeNumber{1})[100] = before;
    table.update(image.read(1), 1);
    EXPECT_EQ(table.views(1)[0].heartbeat_verdict, SectorVerdict::kValid);
    EXPECT_EQ(table.views(1)[0].heartbeat, samples::heartbeat());
}

TEST_P(SlotTableAt, ShowsExactlyWhatWasWritten) {
    Image image{GetParam()};
    const NodeNumber n{2};
    SlotTable table{image.identity()};
    image.write(n, samples::heartbeat(), samples::ballot());
    std::vector<std::byte> written(image.own(n).begin(), image.own(n).end());
    table.update(image.read(2), 2);
    EXPECT_TRUE(table.shows_exactly(n, written));
    EXPECT_FALSE(table.shows_exactly(NodeNumber{1}, written));
    // A later write of our own that did not reach the file, in H and in B alone.
    for (const std::size_t offset : {std::size_t{300}, GetParam() + 300}) {
        written[offset] ^= std::byte{1};
        EXPECT_FALSE(table.shows_exactly(n, written));
        written[offset] ^= std::byte{1};
    }
    // A kill block changes nothing about own sectors.
    image.write(n, samples::kill());
    table.update(image.read(2), 2);
    EXPECT_TRUE(table.shows_exactly(n, written));
}

// Oracle: a table that sees only the last read. Random writes, damages, and reads of changing
// length.
TEST_P(SlotTableAt, RemembersNothingButTheLastRead) {
    samples::Random random{7};
    Image image{GetParam()};
    SlotTable table{image.identity()};
    for (int round = 0; round < 400; ++round) {
        const NodeNumber n{1U + static_cast<unsigned>(random() % 6)};
        switch (random() % 4) {
            case 0:
                image.write(n, samples::random_heartbeat(random), samples::random_ballot(random));
                break;
            case 1: image.write(n, samples::random_kill(random)); break;
            case 2: image.at(image.layout().slot(n))[random() % 512] ^= std::byte{4}; break;
            default: break;
        }
        const unsigned slots = 1 + static_cast<unsigned>(random() % 6);
        table.update(image.read(slots), slots);
        SlotTable fresh{image.identity()};
        fresh.update(image.read(slots), slots);
        for (std::size_t i = 0; i < slots; ++i) {
            expect_same(table.views(slots)[i], fresh.views(slots)[i]);
        }
        ASSERT_FALSE(HasFailure()) << round;
    }
}

TEST(SlotTableDeathTest, SlotsThatWereNotReadCannotBeAskedFor) {
    Image image{512};
    SlotTable table{image.identity()};
    EXPECT_DEATH((void)table.views(1), "slots <= last_");
    table.update(image.read(3), 3);
    table.update(image.read(2), 2);
    EXPECT_DEATH((void)table.views(3), "slots <= last_");
    EXPECT_DEATH((void)table.shows_exactly(NodeNumber{3}, image.own(NodeNumber{3})), "last_");
    EXPECT_DEATH(table.update(image.read(2), 3), "read_bytes");
}

}  // namespace
}  // namespace css::voting
