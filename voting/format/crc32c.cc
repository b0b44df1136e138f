#include "voting/format/crc32c.h"

#include <array>
#include <cstring>

#include "cssd/base/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
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

namespace {

/// The instruction takes the bytes in memory order, which on this processor is the order of the
/// bits that CRC-32C wants.
std::uint64_t eight_at(const std::byte* bytes) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes, sizeof eight);
    return eight;
}

/// x^power modulo the polynomial, reflected: the highest bit is x^0.
constexpr std::uint32_t power_of_x(unsigned power) {
    std::uint32_t remainder = 0x80000000;
    for (; power != 0; --power) {
        remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kPolynomialReflected : 0);
    }
    return remainder;
}

/// The instruction takes three cycles, but one can begin in each: three lanes side by side. Three
/// of them are just below the 508 bytes of a sector.
constexpr std::size_t kLane = 168;
/// What moves a lane's remainder over the bytes that follow. Less 33, which the multiplication of
/// reflected numbers (one) and the reduction by the instruction (32) add.
constexpr std::uint32_t kOverOneLane = power_of_x(8 * kLane - 33);
constexpr std::uint32_t kOverTwoLanes = power_of_x(2 * 8 * kLane - 33);

__attribute__((target("sse4.2,pclmul"))) std::uint64_t product(std::uint64_t a, std::uint32_t b) {
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(
        _mm_cvtsi64_si128(static_cast<std::int64_t>(a)), _mm_cvtsi64_si128(b), 0)));
}

}  // namespace

bool has_crc32c_instruction() {
    static const bool has =
        __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
    return has;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc32c_by_instruction(
    std::span<const std::byte> bytes) {
    std::uint64_t crc = 0xFFFFFFFF;
    for (; bytes.size() >= 3 * kLane; bytes = bytes.subspan(3 * kLane)) {
        std::uint64_t second = 0;
        std::uint64_t third = 0;
        for (const std::byte* at = bytes.data(); at != bytes.data() + kLane; at += 8) {
            crc = _mm_crc32_u64(crc, eight_at(at));
            second = _mm_crc32_u64(second, eight_at(at + kLane));
            third = _mm_crc32_u64(third, eight_at(at + 2 * kLane));
        }
        crc = third ^ _mm_crc32_u64(0, product(crc, kOverTwoLanes) ^ product(second, kOverOneLane));
    }
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        crc = _mm_crc32_u64(crc, eight_at(bytes.data()));
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
