#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "cssd/base/result.h"

namespace css::netbeat {

inline constexpr std::size_t kKeySize = 32;

/// The shared secret of a cluster's interconnect. Copies are wiped when they go.
class Key {
public:
    explicit Key(std::span<const std::byte, kKeySize> bytes);
    ~Key();
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    Key(Key&&) = default;
    Key& operator=(Key&&) = default;

    [[nodiscard]] std::span<const std::byte, kKeySize> bytes() const { return bytes_; }
    friend bool operator==(const Key& a, const Key& b);  ///< In constant time.

private:
    std::array<std::byte, kKeySize> bytes_{};
};

/// A fresh key from the system's random source.
[[nodiscard]] Key random_key();

/// Reads a key file: 64 hex digits, one newline at most after them. Refuses (kInvalid) anything
/// else, a file that is not a regular one, one that group or others may read or write, and one of
/// another user than root and our own; kSystem when it cannot be read. No message ever shows a part
/// of the contents.
[[nodiscard]] Result<Key> load_key_file(const std::string& path);

/// Tells keys apart, and nothing else about them: the first 8 bytes of their BLAKE2b-128.
[[nodiscard]] std::uint64_t fingerprint(const Key& key);

/// Puts the key file `from` in the place of `to` in the same directory, in one step and durably.
[[nodiscard]] Status replace_key_file(const std::string& from, const std::string& to);

/// Writes a fresh key to a new file of mode 0600, durably. kConflict when something of that name
/// exists already: it is never overwritten. Leaves nothing behind when it fails.
[[nodiscard]] Status create_key_file(const std::string& path);

}  // namespace css::netbeat
