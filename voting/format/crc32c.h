#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace css::voting {

/// CRC-32C (Castagnoli): reflected polynomial 0x1EDC6F41, initial and final value all ones.
/// crc32c("123456789") is 0xE3069283. Uses the processor's instruction where there is one; the
/// result is the same everywhere. Any thread.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes);

/// The two ways to compute it, for tests. The second may be called only where
/// `has_crc32c_instruction()`.
[[nodiscard]] std::uint32_t crc32c_by_table(std::span<const std::byte> bytes);
[[nodiscard]] std::uint32_t crc32c_by_instruction(std::span<const std::byte> bytes);
[[nodiscard]] bool has_crc32c_instruction();

}  // namespace css::voting
