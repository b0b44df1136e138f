#include "cssd/group/segment.h"

#include "cssd/base/check.h"
#include "cssd/group/bytes.h"

namespace css::group {
namespace {

constexpr std::uint8_t kEndsMessage = 1;

}  // namespace

Bytes encode(const Segment& segment) {
    CSS_CHECK(segment.payload.size() <= kSegmentPayloadMax);
    CSS_CHECK(segment.sequence != 0 || (segment.payload.empty() && !segment.ends_message));
    Writer out;
    out.put(kSegmentVersion);
    out.put(segment.ends_message ? kEndsMessage : std::uint8_t{0});
    out.put(static_cast<std::uint8_t>(segment.receiver.node.value()));
    out.put(std::uint8_t{0});
    out.put(segment.sender.unique.value());
    out.put(segment.receiver.unique.value());
    out.put(segment.incarnation.value());
    out.put(segment.sequence);
    out.put(segment.expected);
    out.put(std::span{segment.payload});
    return out.take();
}

std::optional<Segment> decode_segment(NodeNumber sender, std::span<const std::byte> bytes) {
    Reader in{bytes};
    Segment segment;
    const auto version = in.get<std::uint8_t>();
    const auto flags = in.get<std::uint8_t>();
    segment.receiver.node = in.get_node();
    const auto zero = in.get<std::uint8_t>();
    segment.sender = Instance{sender, Unique{in.get<std::uint32_t>()}};
    segment.receiver.unique = Unique{in.get<std::uint32_t>()};
    segment.incarnation = Incarnation{in.get<std::uint64_t>()};
    segment.sequence = in.get<std::uint64_t>();
    segment.expected = in.get<std::uint64_t>();
    segment.ends_message = flags == kEndsMessage;
    if (!in.good() || version != kSegmentVersion || flags > kEndsMessage || zero != 0 ||
        segment.expected == 0 || in.rest().size() > kSegmentPayloadMax) {
        return std::nullopt;
    }
    if (segment.sequence == 0 && (!in.rest().empty() || segment.ends_message)) {
        return std::nullopt;
    }
    segment.payload.assign(in.rest().begin(), in.rest().end());
    return segment;
}

}  // namespace css::group
