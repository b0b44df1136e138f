#include "voting/format/header.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/voting_format/samples.h"
#include "voting/format/envelope.h"
#include "voting/format/format.h"

namespace css::voting {
namespace {

using Bytes = std::array<std::byte, kHeaderSize>;

Bytes encoded(const Header& header) {
    Bytes bytes{};
    bytes.fill(std::byte{0xEE});
    encode_header(header, bytes);
    return bytes;
}

SectorVerdict verdict_of(const Bytes& bytes) {
    Header out;
    return decode_header(bytes, out);
}

Header sample(std::size_t sector_size = 512) {
    return headers_of(samples::new_set(sector_size)).front();
}

TEST(Header, RoundTripOfRandomValues) {
    samples::Random random{3};
    for (int i = 0; i < 2000; ++i) {
        const Header header = samples::random_header(random);
        Header out;
        ASSERT_EQ(decode_header(encoded(header), out), SectorVerdict::kValid);
        ASSERT_EQ(out, header);
    }
}

TEST(Header, EveryByteFlippedIsDetected) {
    for (const std::size_t size : {512U, 4096U}) {
        Bytes bytes = encoded(sample(size));
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            for (const std::byte flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xFF}}) {
                bytes[i] ^= flip;
                // Behind the header stand the path hints, which never make it unreadable.
                ASSERT_EQ(verdict_of(bytes),
                          i < kSectorPayload ? SectorVerdict::kBadChecksum : SectorVerdict::kValid)
                    << i;
                bytes[i] ^= flip;
            }
        }
        ASSERT_EQ(verdict_of(bytes), SectorVerdict::kValid);
    }
}

TEST(Header, EnvelopeAgainstTheFormat) {
    const auto changed = [](std::size_t offset) {
        Bytes bytes = encoded(sample());
        bytes[offset] ^= std::byte{0x40};
        samples::reseal(bytes);
        return bytes;
    };
    EXPECT_EQ(verdict_of(changed(0)), SectorVerdict::kBadMagic);
    EXPECT_FALSE(looks_like_header(changed(0)));
    EXPECT_EQ(verdict_of(changed(8)), SectorVerdict::kBadVersion);
    EXPECT_EQ(verdict_of(changed(10)), SectorVerdict::kWrongKind);
    EXPECT_EQ(verdict_of(changed(11)), SectorVerdict::kWrongSlot);
    EXPECT_EQ(verdict_of(changed(12)), SectorVerdict::kMalformed);
    Bytes damaged = encoded(sample());
    damaged[200] ^= std::byte{1};
    EXPECT_TRUE(looks_like_header(damaged));
}

TEST(Header, ContentsAgainstTheFormat) {
    struct Damage {
        const char* what;
        std::size_t offset;
        std::vector<unsigned> bytes;
    };
    const std::vector<Damage> damages{
        {"no cluster GUID", kClusterOffset, std::vector<unsigned>(16, 0)},
        {"no FUID", kFileOffset, std::vector<unsigned>(16, 0)},
        {"sector size 1024", 48, {0, 4, 0, 0}},
        {"no slots", 52, {0}},
        {"65 slots", 52, {65}},
        {"no name", 53, {0}},
        {"name longer than the bytes behind it", 53, {6}},
        {"name shorter than the bytes behind it", 53, {4}},
        {"name of 65", 53, {65}},
        {"table entry 16", 55, {0x80}},
        {"file 16", 57, {0x80}},
        {"even count of files", 56, {0b011}},
        {"no files", 56, {0}},
        {"file not in the table", 56, {0b1101}},
        {"unused", 58, {1}},
        {"misscount zero", 60, {0, 0, 0, 0}},
        {"no generation", 72, std::vector<unsigned>(8, 0)},
        {"name with a space", 80, {' '}},
        {"entry in use without FUID", 144, std::vector<unsigned>(16, 0)},
        {"one FUID twice",
         144 + 16,
         std::vector<unsigned>{0x40,
                               0x41,
                               0x42,
                               0x43,
                               0x44,
                               0x45,
                               0x46,
                               0x47,
                               0x48,
                               0x49,
                               0x4A,
                               0x4B,
                               0x4C,
                               0x4D,
                               0x4E,
                               0x4F}},
        {"unused", 384, {1}}};
    for (const Damage& damage : damages) {
        Bytes bytes = encoded(sample());
        for (std::size_t i = 0; i < damage.bytes.size(); ++i) {
            bytes[damage.offset + i] = static_cast<std::byte>(damage.bytes[i]);
        }
        samples::reseal(bytes);
        EXPECT_EQ(verdict_of(bytes), SectorVerdict::kMalformed) << damage.what;
    }
}

TEST(Header, ClusterNames) {
    for (const char* good : {"a", "atlas-2", "A_b.c"}) {
        EXPECT_TRUE(check_cluster_name(good)) << good;
    }
    EXPECT_TRUE(check_cluster_name(std::string(64, 'x')));
    for (const char* bad : {"", " ", "a b", "a/b", "\xC3\xA4"}) {
        EXPECT_FALSE(check_cluster_name(bad)) << bad;
    }
    EXPECT_FALSE(check_cluster_name(std::string(65, 'x')));
}

TEST(Header, GenesisRecordHasNoMembers) {
    NewSet set = samples::new_set(512);
    set.parameters.misscount = std::chrono::milliseconds{1000};
    const Record record = genesis_record(headers_of(set).front());
    EXPECT_EQ(record.incarnation, Incarnation{});
    EXPECT_TRUE(record.members.empty());
    EXPECT_EQ(record.parameters, set.parameters);
    EXPECT_EQ(record.files, FileSet{0b111});
    EXPECT_TRUE(record.files_next.empty());
}

TEST(Header, OwnIndex) {
    const std::vector<Header> headers = headers_of(samples::new_set(512));
    for (std::size_t i = 0; i < headers.size(); ++i) {
        EXPECT_EQ(index_of(headers[i], headers[i].file), FileIndex::from_index(i));
    }
    Header removed = headers[2];
    removed.table[2].in_use = false;
    EXPECT_EQ(index_of(removed, removed.file), std::nullopt);
}

TEST(Format, EverySlotIsAValidEmptyImage) {
    for (const std::size_t size : {512U, 4096U}) {
        for (const Header& header : headers_of(samples::new_set(size))) {
            const std::vector<std::byte> image = formatted_image(header);
            const Layout layout{size};
            ASSERT_EQ(image.size(), layout.file_size());
            Header out;
            ASSERT_EQ(decode_header(std::span{image}.first<kHeaderSize>(), out),
                      SectorVerdict::kValid);
            EXPECT_EQ(out, header);
            for (std::size_t i = 0; i < kNodesMax; ++i) {
                const NodeNumber n = NodeNumber::from_index(i);
                const auto sector = [&](std::uint64_t offset) {
                    return std::span{image}.subspan(offset, size);
                };
                const std::uint64_t at = layout.slot(n).offset;
                Heartbeat h = samples::heartbeat();
                Ballot b = samples::ballot();
                KillBlock k = samples::kill();
                ASSERT_EQ(decode_heartbeat(header.identity(), n, sector(at), h),
                          SectorVerdict::kValid);
                ASSERT_EQ(decode_ballot(header.identity(), n, sector(at + size), b),
                          SectorVerdict::kValid);
                ASSERT_EQ(decode_kill(header.identity(), n, sector(at + 2 * size), k),
                          SectorVerdict::kValid);
                EXPECT_EQ(h.unique, Unique{});
                EXPECT_EQ(b.instance, Incarnation{});
                EXPECT_EQ(k.victim, Unique{});
            }
        }
    }
}

TEST(Layout, RangesDoNotOverlapAndOneReadBringsThemAll) {
    for (const std::size_t size : {512U, 4096U}) {
        const Layout layout{size};
        std::uint64_t end = layout.header().end();
        for (std::size_t i = 0; i < kNodesMax; ++i) {
            const NodeNumber n = NodeNumber::from_index(i);
            EXPECT_EQ(layout.slot(n).offset, end);
            EXPECT_EQ(layout.heartbeat_and_ballot(n).offset, end);
            EXPECT_EQ(layout.heartbeat_and_ballot(n).size, 2 * size);
            EXPECT_EQ(layout.kill(n).offset, layout.heartbeat_and_ballot(n).end());
            EXPECT_EQ(layout.kill(n).end(), layout.slot(n).end());
            EXPECT_EQ(layout.slots(n.value()).offset, layout.header().end());
            EXPECT_EQ(layout.slots(n.value()).end(), layout.slot(n).end());
            EXPECT_EQ(layout.slot(n).offset % size, 0U);
            end = layout.slot(n).end();
        }
        EXPECT_EQ(end, layout.file_size());
    }
}

}  // namespace
}  // namespace css::voting
