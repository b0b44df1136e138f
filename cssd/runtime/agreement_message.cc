#include "cssd/runtime/agreement_message.h"

#include "cssd/base/check.h"
#include "cssd/base/types.h"
#include "cssd/group/bytes.h"

namespace css::runtime {
namespace {

constexpr std::size_t kHeadSize = 21;

/// Nothing from outside writes into a terminal.
std::string printable(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte b : bytes) {
        const char c = std::to_integer<char>(b);
        text += c < ' ' || c > '~' ? '?' : c;
    }
    return text;
}

}  // namespace

std::optional<AgreementMessage::Topic> agreement_topic(std::span<const std::byte> bytes) {
    for (const auto topic :
         {AgreementMessage::Topic::kNodesFile, AgreementMessage::Topic::kKeyFile}) {
        if (!bytes.empty() &&
            std::to_integer<std::uint8_t>(bytes.front()) == static_cast<std::uint8_t>(topic)) {
            return topic;
        }
    }
    return std::nullopt;
}

std::vector<std::byte> encode(const AgreementMessage& message) {
    CSS_CHECK(message.lines.size() <= kNodesMax);
    group::Writer to;
    to.put(static_cast<std::uint8_t>(message.topic));
    to.put(static_cast<std::uint8_t>(message.what));
    to.put(static_cast<std::uint8_t>(message.verdict));
    to.put(static_cast<std::uint8_t>(message.line));
    to.put(message.id);
    to.put(message.fingerprint);
    to.put(static_cast<std::uint8_t>(message.lines.size()));
    for (const std::uint32_t line : message.lines) {
        to.put(line);
    }
    const std::string text = message.text.substr(0, kAgreementTextMax);
    to.put(static_cast<std::uint16_t>(text.size()));
    to.put(std::as_bytes(std::span{text}));
    std::vector<std::byte> bytes = to.take();
    CSS_CHECK(bytes.size() == kHeadSize + 4 * message.lines.size() + 2 + text.size());
    return bytes;
}

std::optional<AgreementMessage> decode_agreement(std::span<const std::byte> bytes) {
    const auto topic = agreement_topic(bytes);
    if (!topic) {
        return std::nullopt;
    }
    group::Reader from{bytes.subspan(1)};
    AgreementMessage message;
    message.topic = *topic;
    const auto what = from.get<std::uint8_t>();
    const auto verdict = from.get<std::uint8_t>();
    message.line = from.get<std::uint8_t>();
    message.id = from.get<std::uint64_t>();
    message.fingerprint = from.get<std::uint64_t>();
    const auto lines = from.get<std::uint8_t>();
    if (what < static_cast<std::uint8_t>(AgreementMessage::What::kAsk) ||
        what > static_cast<std::uint8_t>(AgreementMessage::What::kTaken) ||
        verdict > static_cast<std::uint8_t>(AgreementMessage::Verdict::kRefused) ||
        lines > kNodesMax) {
        return std::nullopt;
    }
    message.what = static_cast<AgreementMessage::What>(what);
    message.verdict = static_cast<AgreementMessage::Verdict>(verdict);
    for (unsigned i = 0; i < lines; ++i) {
        message.lines.push_back(from.get<std::uint32_t>());
    }
    const auto size = from.get<std::uint16_t>();
    if (!from.good() || size > kAgreementTextMax || from.rest().size() != size) {
        return std::nullopt;
    }
    message.text = printable(from.rest());
    return message;
}

}  // namespace css::runtime
