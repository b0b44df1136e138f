#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "cssd/group/types.h"

namespace css::group {

/// What one datagram of the group layer holds, before sealing: a piece of the stream from one
/// instance to another, and how much of the other way's stream has arrived. WIRE.md shows it byte
/// by byte. It counts only between these two instances under this record.
struct Segment {
    Instance sender;
    Instance receiver;
    Incarnation incarnation;     ///< Of the record under which both speak.
    std::uint64_t sequence = 0;  ///< From 1; zero: nothing but the acknowledgement.
    std::uint64_t expected = 0;  ///< The sequence that the sender waits for: all before have come.
    bool ends_message = false;
    Bytes payload;
};

inline constexpr std::uint8_t kSegmentVersion = 1;
inline constexpr std::size_t kSegmentHeadSize = 36;
/// With the seal around it (54 bytes) a datagram of 1232 bytes: never fragmented by IP.
inline constexpr std::size_t kSegmentPayloadMax = 1142;
inline constexpr std::size_t kSegmentSizeMax = kSegmentHeadSize + kSegmentPayloadMax;

[[nodiscard]] Bytes encode(const Segment& segment);
/// The sender's node is known from the seal. Nothing: not a segment.
[[nodiscard]] std::optional<Segment> decode_segment(NodeNumber sender,
                                                    std::span<const std::byte> bytes);

}  // namespace css::group
