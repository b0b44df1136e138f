#pragma once

#include <cstddef>
#include <span>
#include <string>

/// What the programs of this folder share. Each feeds bytes of a stranger to one decoder; libFuzzer
/// makes them up (tools/fuzz), and in every run of the tests those kept in corpus/ are decoded once
/// more.
namespace css::fuzz {

using Input = std::span<const std::byte>;

/// Defined by each program. Aborts (CSS_CHECK) where a promise of the decoder is broken.
void run(Input input);

/// The input as text.
[[nodiscard]] std::string text_of(Input input);

/// A file of mode 0600 in a folder of this process, in memory, gone when it ends; with these bytes.
[[nodiscard]] const std::string& file_with(Input contents);

/// Overwrites parts of `bytes` as `input` says: entries of two bytes of place, one of length, then
/// the bytes to put there; what reaches over the end is dropped.
void patch(std::span<std::byte> bytes, Input input);

}  // namespace css::fuzz
