#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace css::runtime {

/// What daemons say to each other about files that each of them has a copy of (agreement.h); a
/// message of netbeat/wire/WIRE.md.
///
///      0   1  topic: which file          12  8  fingerprint of the file that is asked about
///      1   1  what                       20  1  count of lines
///      2   1  verdict                    21  4  for each line: hash of what it means
///      3   1  line, from 1; 0: none      then 2 length of the text, and the text
///      4   8  id of the round
///
/// All integers are little-endian. Lines are in an ask only, a text in answers only.
struct AgreementMessage {
    /// No other layer's messages begin with these.
    enum class Topic : std::uint8_t { kNodesFile = 0x80, kKeyFile = 0x81 };
    enum class What : std::uint8_t { kAsk = 1, kAnswer = 2, kTake = 3, kTaken = 4 };
    enum class Verdict : std::uint8_t {
        kSame = 0,     ///< Read as the same; taken in.
        kDiffers = 1,  ///< `line` means something else here: `text`.
        kRefused = 2,  ///< Not readable, or not to be used here: `text` says why.
    };
    Topic topic = Topic::kNodesFile;
    What what = What::kAsk;
    Verdict verdict = Verdict::kSame;
    unsigned line = 0;
    std::uint64_t id = 0;
    std::uint64_t fingerprint = 0;
    std::vector<std::uint32_t> lines;
    std::string text;
    friend bool operator==(const AgreementMessage&, const AgreementMessage&) = default;
};

inline constexpr std::size_t kAgreementTextMax = 400;

/// The topic of a message that is of this kind, as its first byte says.
[[nodiscard]] std::optional<AgreementMessage::Topic> agreement_topic(
    std::span<const std::byte> bytes);

[[nodiscard]] std::vector<std::byte> encode(const AgreementMessage& message);
/// Nothing: it is no such message.
[[nodiscard]] std::optional<AgreementMessage> decode_agreement(std::span<const std::byte> bytes);

}  // namespace css::runtime
