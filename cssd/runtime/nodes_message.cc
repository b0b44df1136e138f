#include "cssd/runtime/nodes_message.h"

#include <algorithm>

#include "cssd/base/check.h"

namespace css::runtime {
namespace {

constexpr std::size_t kHeadSize = 21;

template <class T>
void put(std::vector<std::byte>& to, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        to.push_back(static_cast<std::byte>(value >> (8 * i) & 0xFF));
    }
}

/// Reads from the front; not past the end.
class Reader {
public:
    explicit Reader(std::span<const std::byte> rest) : rest_(rest) {}
    template <class T>
    T get() {
        if (rest_.size() < sizeof(T)) {
            good_ = false;
            return T{};
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            value |= std::to_integer<std::uint64_t>(rest_[i]) << (8 * i);
        }
        rest_ = rest_.subspan(sizeof(T));
        return static_cast<T>(value);
    }
    std::string text(std::size_t size) {
        if (rest_.size() < size) {
            good_ = false;
            return {};
        }
        std::string text;
        for (const std::byte b : rest_.first(size)) {
            const char c = std::to_integer<char>(b);
            text += c < ' ' || c > '~' ? '?' : c;
        }
        rest_ = rest_.subspan(size);
        return text;
    }
    [[nodiscard]] bool ends_well() const { return good_ && rest_.empty(); }

private:
    std::span<const std::byte> rest_;
    bool good_ = true;
};

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
    std::vector<std::byte> bytes{kNodesMessageKind};
    put(bytes, static_cast<std::uint8_t>(message.what));
    put(bytes, static_cast<std::uint8_t>(message.verdict));
    put(bytes, static_cast<std::uint8_t>(message.line));
    put(bytes, message.id);
    put(bytes, message.fingerprint);
    put(bytes, static_cast<std::uint8_t>(message.lines.size()));
    CSS_CHECK(bytes.size() == kHeadSize);
    for (const std::uint32_t line : message.lines) {
        put(bytes, line);
    }
    const std::string text = message.text.substr(0, kNodesTextMax);
    put(bytes, static_cast<std::uint16_t>(text.size()));
    const auto letters = std::as_bytes(std::span{text});
    bytes.insert(bytes.end(), letters.begin(), letters.end());
    return bytes;
}

std::optional<NodesMessage> decode_nodes_message(std::span<const std::byte> bytes) {
    if (bytes.empty() || bytes.front() != kNodesMessageKind) {
        return std::nullopt;
    }
    Reader from{bytes.subspan(1)};
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
    if (size > kNodesTextMax) {
        return std::nullopt;
    }
    message.text = from.text(size);
    return from.ends_well() ? std::optional{message} : std::nullopt;
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
