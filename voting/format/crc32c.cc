#include "voting/format/crc32c.h"

#include <array>
#include <cstring>

#include "cssd/base/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace css::voting {
namespace {

constexpr std::uint32_t kPolynomialReflected = 0x82F63B78;

/// tables[k][b]: the remainder of byte b followed by k zero bytes (slicing by 8).
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        std::uint32_t crc = b;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomialReflected : 0);
        }
        tables[0][b] = crc;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t b = 0; b < 256; ++b) {
            const std::uint32_t shorter = tables[k - 1][b];
            tables[k][b] = (shorter >> 8) ^ tables[0][shorter & 0xFF];
        }
    }
    return tables;
}

constexpr Tables kTables = make_tables();

constexpr std::uint32_t at(std::span<const std::byte> bytes, std::size_t i) {
    return std::to_integer<std::uint32_t>(bytes[i]);
}

}  // namespace

std::uint32_t crc32c_by_table(std::span<const std::byte> bytes) {
    std::uint32_t crc = ~std::uint32_t{0};
    while (bytes.size() >= 8) {
        const std::uint32_t low =
            crc ^ (at(bytes, 0) | at(bytes, 1) << 8 | at(bytes, 2) << 16 | at(bytes, 3) << 24);
        crc = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^
              kTables[5][(low >> 16) & 0xFF] ^ kTables[4][low >> 24] ^ kTables[3][at(bytes, 4)] ^
              kTables[2][at(bytes, 5)] ^ kTables[1][at(bytes, 6)] ^ kTables[0][at(bytes, 7)];
        bytes = bytes.subspan(8);
    }
    for (const std::byte b : bytes) {
        crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(b)) & 0xFF];
    }
    return ~crc;
}

#if defined(__x86_64__)

bool has_crc32c_instruction() {
    static const bool has = __builtin_cpu_supports("sse4.2") != 0;
    return has;
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(
    std::span<const std::byte> bytes) {
    std::uint64_t crc = 0xFFFFFFFF;
    while (bytes.size() >= 8) {
        // The instruction takes the bytes in memory order, which on this processor is the order of
        // the bits that CRC-32C wants.
        std::uint64_t eight = 0;
        std::memcpy(&eight, bytes.data(), sizeof eight);
        crc = _mm_crc32_u64(crc, eight);
        bytes = bytes.subspan(8);
    }
    std::uint32_t rest = static_cast<std::uint32_t>(crc);
    for (const std::byte b : bytes) {
        rest = _mm_crc32_u8(rest, std::to_integer<std::uint8_t>(b));
    }
    return ~rest;
}

#else

bool has_crc32c_instruction() {
    return false;
}

std::uint32_t crc32c_by_instruction(std::span<const std::byte>) {
    CSS_CHECK(has_crc32c_instruction());
    return 0;
}

#endif

std::uint32_t crc32c(std::span<const std::byte> bytes) {
    return has_crc32c_instruction() ? crc32c_by_instruction(bytes) : crc32c_by_table(bytes);
}

}  // namespace css::voting
