#include "kill_block/guardian/message.h"

#include <algorithm>

#include "cssd/base/check.h"

namespace css::guardian {
namespace {

constexpr std::uint64_t kMagic = 0x47535343;  // "CSSG"
constexpr std::uint64_t kVersion = 2;

// Offsets and widths, as in GUARDIAN.md.
struct Field {
    std::size_t offset;
    std::size_t width;
};
constexpr Field kMagicAt{0, 4};
constexpr Field kVersionAt{4, 2};
constexpr Field kKindAt{6, 2};
constexpr Field kFlagsAt{8, 4};
constexpr Field kNodeAt{12, 4};
constexpr Field kUniqueAt{16, 4};
constexpr Field kCountAt{20, 4};
constexpr Field kSerialAt{24, 8};
constexpr Field kTimeAt{32, 8};
constexpr Field kClientAt{40, 8};
constexpr Field kReasonAt{48, 1};
constexpr Field kByAt{49, 1};
constexpr Field kUnusedAt{50, 2};
constexpr Field kReboottimeAt{52, 4};
constexpr std::size_t kUnusedFrom = 56;

void put(MessageBytes& bytes, Field field, std::uint64_t value) {
    for (std::size_t i = 0; i < field.width; ++i) {
        bytes[field.offset + i] = static_cast<std::byte>((value >> (8 * i)) & 0xFF);
    }
}

std::uint64_t get(std::span<const std::byte> bytes, Field field) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < field.width; ++i) {
        value |= std::to_integer<std::uint64_t>(bytes[field.offset + i]) << (8 * i);
    }
    return value;
}

bool is_kind(std::uint64_t value) {
    return (value >= 1 && value <= kRequestMax) || (value >= kAnswerMin && value <= kAnswerMax);
}

NodeNumber node_of(std::uint64_t value) {
    return value == 0 ? NodeNumber{} : NodeNumber{static_cast<unsigned>(value)};
}

}  // namespace

MessageBytes encode(const Message& message) {
    CSS_CHECK((message.flags & ~kFlagsAll) == 0);
    MessageBytes bytes{};
    put(bytes, kMagicAt, kMagic);
    put(bytes, kVersionAt, kVersion);
    put(bytes, kKindAt, static_cast<std::uint64_t>(message.kind));
    put(bytes, kFlagsAt, message.flags);
    put(bytes, kNodeAt, message.instance.node.value());
    put(bytes, kUniqueAt, message.instance.unique.value());
    put(bytes, kCountAt, message.count);
    put(bytes, kSerialAt, message.serial);
    put(bytes, kTimeAt, static_cast<std::uint64_t>(message.time));
    put(bytes, kClientAt, message.client);
    put(bytes, kReasonAt, message.reason);
    put(bytes, kByAt, message.by.value());
    put(bytes, kReboottimeAt, message.reboottime_ms);
    return bytes;
}

std::optional<Message> decode(std::span<const std::byte> bytes) {
    if (bytes.size() != kMessageSize || get(bytes, kMagicAt) != kMagic ||
        get(bytes, kVersionAt) != kVersion || !is_kind(get(bytes, kKindAt)) ||
        (get(bytes, kFlagsAt) & ~std::uint64_t{kFlagsAll}) != 0 ||
        get(bytes, kNodeAt) > kNodesMax || get(bytes, kByAt) > kNodesMax ||
        get(bytes, kUnusedAt) != 0) {
        return std::nullopt;
    }
    const auto unused = bytes.subspan(kUnusedFrom);
    if (std::any_of(unused.begin(), unused.end(), [](std::byte b) { return b != std::byte{}; })) {
        return std::nullopt;
    }
    Message message;
    message.kind = static_cast<Kind>(get(bytes, kKindAt));
    message.flags = static_cast<std::uint32_t>(get(bytes, kFlagsAt));
    message.instance = Instance{node_of(get(bytes, kNodeAt)),
                                Unique{static_cast<std::uint32_t>(get(bytes, kUniqueAt))}};
    message.count = static_cast<std::uint32_t>(get(bytes, kCountAt));
    message.serial = get(bytes, kSerialAt);
    message.time = static_cast<std::int64_t>(get(bytes, kTimeAt));
    message.client = get(bytes, kClientAt);
    message.reason = static_cast<std::uint8_t>(get(bytes, kReasonAt));
    message.by = node_of(get(bytes, kByAt));
    message.reboottime_ms = static_cast<std::uint32_t>(get(bytes, kReboottimeAt));
    return message;
}

const char* text_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::kNone: return "no reason";
        case Refusal::kNotYours: return "another daemon is served";
        case Refusal::kOldSerial: return "the serial is not newer than the one held";
        case Refusal::kOldInstance: return "not a later instance than the one held";
        case Refusal::kCut: return "a later end after a final one";
        case Refusal::kPassed: return "the end held has passed";
        case Refusal::kClientsLeft: return "clients of an armed instance are left";
        case Refusal::kReleased: return "the instance had been released";
        case Refusal::kMalformed: return "malformed request";
    }
    return "unknown reason";
}

}  // namespace css::guardian
