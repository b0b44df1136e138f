#include "voting/format/crc32c.h"

#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include <boost/crc.hpp>
#include <gtest/gtest.h>

namespace css::voting {
namespace {

/// The same polynomial in another library.
std::uint32_t by_boost(std::span<const std::byte> bytes) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return crc.checksum();
}

std::vector<std::byte> bytes_of(std::string_view text) {
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

// Check value of CRC-32C in the catalogue of CRCs, and the four of RFC 3720, B.4.
TEST(Crc32c, PublishedValues) {
    EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
    EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0})), 0x8A9136AAU);
    EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xFF})), 0x62A8AB43U);
    std::vector<std::byte> rising(32);
    std::vector<std::byte> falling(32);
    for (std::size_t i = 0; i < 32; ++i) {
        rising[i] = static_cast<std::byte>(i);
        falling[i] = static_cast<std::byte>(31 - i);
    }
    EXPECT_EQ(crc32c(rising), 0x46DD794EU);
    EXPECT_EQ(crc32c(falling), 0x113FDB5CU);
    EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, TableAndInstructionAgreeWithBoostAtEveryLengthAndAlignment) {
    std::mt19937_64 random{20261121};
    std::vector<std::byte> bytes(1100);
    for (std::byte& b : bytes) {
        b = static_cast<std::byte>(random());
    }
    for (std::size_t begin = 0; begin < 8; ++begin) {
        for (std::size_t size = 0; size + begin <= bytes.size(); ++size) {
            const auto part = std::span<const std::byte>{bytes}.subspan(begin, size);
            const std::uint32_t right = by_boost(part);
            ASSERT_EQ(crc32c_by_table(part), right) << begin << ' ' << size;
            ASSERT_EQ(crc32c(part), right) << begin << ' ' << size;
            if (has_crc32c_instruction()) {
                ASSERT_EQ(crc32c_by_instruction(part), right) << begin << ' ' << size;
            }
        }
    }
}

}  // namespace
}  // namespace css::voting
