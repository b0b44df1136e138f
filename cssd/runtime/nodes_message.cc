#include "cssd/runtime/nodes_message.h"

#include <algorithm>

#include "cssd/base/check.h"
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

/// FNV-1a, 32 bits.
std::uint32_t hash_of(const std::string& text) {
    std::uint32_t hash = 2'166'136'261U;
    for (const char c : text) {
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 16'777'619U;
    }
    return hash;
}

}  // namespace

std::vector<std::byte> encode(const NodesMessage& message) {
    CSS_CHECK(message.lines.size() <= kNodesMax);
    group::Writer to;
    to.put(std::to_integer<std::uint8_t>(kNodesMessageKind));
    to.put(static_cast<std::uint8_t>(message.what));
    to.put(static_cast<std::uint8_t>(message.verdict));
    to.put(static_cast<std::uint8_t>(message.line));
    to.put(message.id);
    to.put(message.fingerprint);
    to.put(static_cast<std::uint8_t>(message.lines.size()));
    for (const std::uint32_t line : message.lines) {
        to.put(line);
    }
    const std::string text = message.text.substr(0, kNodesTextMax);
    to.put(static_cast<std::uint16_t>(text.size()));
    to.put(std::as_bytes(std::span{text}));
    std::vector<std::byte> bytes = to.take();
    CSS_CHECK(bytes.size() == kHeadSize + 4 * message.lines.size() + 2 + text.size());
    return bytes;
}

std::optional<NodesMessage> decode_nodes_message(std::span<const std::byte> bytes) {
    if (!is_nodes_message(bytes)) {
        return std::nullopt;
    }
    group::Reader from{bytes.subspan(1)};
    NodesMessage message;
    const auto what = from.get<std::uint8_t>();
    const auto verdict = from.get<std::uint8_t>();
    message.line = from.get<std::uint8_t>();
    message.id = from.get<std::uint64_t>();
    message.fingerprint = from.get<std::uint64_t>();
    const auto lines = from.get<std::uint8_t>();
    if (what < static_cast<std::uint8_t>(NodesMessage::What::kAsk) ||
        what > static_cast<std::uint8_t>(NodesMessage::What::kTaken) ||
        verdict > static_cast<std::uint8_t>(NodesMessage::Verdict::kRefused) || lines > kNodesMax) {
        return std::nullopt;
    }
    message.what = static_cast<NodesMessage::What>(what);
    message.verdict = static_cast<NodesMessage::Verdict>(verdict);
    for (unsigned i = 0; i < lines; ++i) {
        message.lines.push_back(from.get<std::uint32_t>());
    }
    const auto size = from.get<std::uint16_t>();
    if (!from.good() || size > kNodesTextMax || from.rest().size() != size) {
        return std::nullopt;
    }
    message.text = printable(from.rest());
    return message;
}

std::string line_text(const netbeat::NodesFile& file, unsigned line) {
    if (line == 0 || line > file.entries.size()) {
        return "nothing";
    }
    const netbeat::NodeEntry& entry = file.entries[line - 1];
    if (entry.deleted) {
        return "a deleted node";
    }
    std::string text = entry.name;
    for (const netbeat::Address& address : entry.addresses) {
        text += " " + netbeat::to_string(address);
    }
    return text;
}

std::vector<std::uint32_t> line_hashes(const netbeat::NodesFile& file) {
    std::vector<std::uint32_t> hashes;
    for (unsigned line = 1; line <= file.entries.size(); ++line) {
        hashes.push_back(hash_of(line_text(file, line)));
    }
    return hashes;
}

unsigned first_difference(const std::vector<std::uint32_t>& a,
                          const std::vector<std::uint32_t>& b) {
    const std::size_t lines = std::max(a.size(), b.size());
    for (std::size_t i = 0; i < lines; ++i) {
        if (i >= a.size() || i >= b.size() || a[i] != b[i]) {
            return static_cast<unsigned>(i) + 1;
        }
    }
    return 0;
}

}  // namespace css::runtime
