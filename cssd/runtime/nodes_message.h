#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netbeat/wire/nodes_file.h"

namespace css::runtime {

/// What daemons say to each other about their nodes files; a message of netbeat/wire/WIRE.md.
///
///      0   1  kind of message, 0x80      12  8  fingerprint of the file that is asked about
///      1   1  what                       20  1  count of lines
///      2   1  verdict                    21  4  for each line: hash of what it means
///      3   1  line, from 1; 0: none      then 2 length of the text, and the text
///      4   8  id of the round
///
/// All integers are little-endian. Lines are in an ask only, a text in answers only.
struct NodesMessage {
    enum class What : std::uint8_t { kAsk = 1, kAnswer = 2, kTake = 3, kTaken = 4 };
    enum class Verdict : std::uint8_t {
        kSame = 0,     ///< Read as the same; taken in.
        kDiffers = 1,  ///< `line` means something else here: `text`.
        kRefused = 2,  ///< Not readable, or not to be used here: `text` says why.
    };
    What what = What::kAsk;
    Verdict verdict = Verdict::kSame;
    unsigned line = 0;
    std::uint64_t id = 0;
    std::uint64_t fingerprint = 0;
    std::vector<std::uint32_t> lines;
    std::string text;
    friend bool operator==(const NodesMessage&, const NodesMessage&) = default;
};

/// The first byte of these messages: no other layer's begins so.
inline constexpr std::byte kNodesMessageKind{0x80};
inline constexpr std::size_t kNodesTextMax = 400;

[[nodiscard]] inline bool is_nodes_message(std::span<const std::byte> bytes) {
    return !bytes.empty() && bytes.front() == kNodesMessageKind;
}

[[nodiscard]] std::vector<std::byte> encode(const NodesMessage& message);
/// Nothing: it is no such message.
[[nodiscard]] std::optional<NodesMessage> decode_nodes_message(std::span<const std::byte> bytes);

/// One hash a line, in order: equal when the lines mean the same.
[[nodiscard]] std::vector<std::uint32_t> line_hashes(const netbeat::NodesFile& file);
/// As the file would say it: `node3 10.0.0.3:5499`, `# (a deleted node)`, `nothing`.
[[nodiscard]] std::string line_text(const netbeat::NodesFile& file, unsigned line);
/// The first line in which the files differ, from 1; 0: in none.
[[nodiscard]] unsigned first_difference(const std::vector<std::uint32_t>& a,
                                        const std::vector<std::uint32_t>& b);

}  // namespace css::runtime
