#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "cssd/base/types.h"
#include "netbeat/wire/codec.h"
#include "netbeat/wire/heartbeat.h"
#include "netbeat/wire/key_ring.h"

namespace css::netbeat {

/// A datagram: a clear prefix, a random nonce, the sealed plain heartbeat with its tag. WIRE.md.
inline constexpr std::uint8_t kDatagramVersion = 1;
inline constexpr std::size_t kPrefixSize = 14;  ///< Magic 4, version 1, sender 1, cluster tag 8.
inline constexpr std::size_t kNonceSize = 24;
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kSealOverhead = kPrefixSize + kNonceSize + kTagSize;
inline constexpr std::size_t kDatagramSizeMax = kSealOverhead + kPlainSizeMax;
inline constexpr std::size_t kDatagramSizeMin = kSealOverhead + kPlainHeadSize;
/// What any datagram may take: the smallest MTU that IPv6 allows, less the IPv6 and UDP headers, so
/// that none is fragmented anywhere.
inline constexpr std::size_t kUnfragmentedMax = 1280 - 40 - 8;
static_assert(kDatagramSizeMax <= kUnfragmentedMax);
/// Of a message, the other kind of datagram: what the layers above say to one node.
inline constexpr std::size_t kMessageSizeMax = kUnfragmentedMax - kSealOverhead;

/// What became of a datagram. The order is the order of the checks: what needs no key comes first,
/// so that garbage costs next to nothing. Nothing before kNotAuthentic is known to be true.
enum class DatagramVerdict : std::uint8_t {
    kAccepted,
    kUnknownAddress,  ///< Found by the dispatch thread: not a configured address of a peer.
    kTooShort,
    kTooLong,
    kBadMagic,
    kBadVersion,
    kWrongCluster,
    kWrongSender,   ///< The sender number is not the node's whose address it came from.
    kNotAuthentic,  ///< No key of ours opens it: another key, or changed under way.
    kMalformed,     ///< Authentic, but not a plain heartbeat of that sender.
};
inline constexpr std::size_t kDatagramVerdicts = 10;
[[nodiscard]] std::string_view describe(DatagramVerdict verdict);

enum class DatagramKind : std::uint8_t { kHeartbeat, kMessage };
/// What it says it is; true only if it opens as that.
[[nodiscard]] DatagramKind kind_of(std::span<const std::byte> datagram);

/// The sender that a datagram names, to be believed only when it opens; 'no node': too short, or
/// none that can be.
[[nodiscard]] NodeNumber sender_named(std::span<const std::byte> datagram);

/// Seals heartbeats and messages and opens them again with XChaCha20-Poly1305 under the cluster's
/// shared key. Bound in as additional data: magic (the kind), version, sender number, cluster GUID.
/// So a datagram counts only in its cluster and for its sender; that it is not an old one is for
/// the core to see, by (u, seq). One key for the whole cluster: a node that has it can speak for
/// any other. Any thread may use it, several at once.
class Sealer {
public:
    /// Seals and opens with this key alone.
    Sealer(const ClusterGuid& cluster, const Key& key);
    /// With the keys of the ring, as it has them at that moment. Opening a datagram that is sealed
    /// with the next key moves the ring to it: its sender knew that everybody holds it.
    Sealer(const ClusterGuid& cluster, std::shared_ptr<KeyRing> keys);

    /// Writes the datagram to the front of `out` (at least kDatagramSizeMax bytes), returns its
    /// size. Aborts on a heartbeat that breaks a rule of the format, as encode() does.
    [[nodiscard]] std::size_t seal(const Heartbeat& heartbeat, std::span<std::byte> out) const;

    /// Opens a datagram that came from the address of `sender`. `heartbeat` is changed only when
    /// the verdict is kAccepted; then it is authentic and `heartbeat.sender.node` is `sender`.
    [[nodiscard]] DatagramVerdict open(std::span<const std::byte> datagram,
                                       NodeNumber sender,
                                       Heartbeat& heartbeat) const;

    /// Writes a datagram that carries these bytes, 1 to kMessageSizeMax of them, to the front of
    /// `out` (at least kUnfragmentedMax bytes), returns its size. For whom they are, and whether
    /// they are new, is for the layer above to say in them.
    [[nodiscard]] std::size_t seal_message(NodeNumber sender,
                                           std::span<const std::byte> message,
                                           std::span<std::byte> out) const;

    /// Opens such a datagram that came from the address of `sender`, into `out` (at least
    /// kMessageSizeMax bytes); its size is that of the datagram less kSealOverhead.
    [[nodiscard]] DatagramVerdict open_message(std::span<const std::byte> datagram,
                                               NodeNumber sender,
                                               std::span<std::byte> out) const;

private:
    struct Envelope;
    [[nodiscard]] Envelope envelope_of(DatagramKind kind, NodeNumber sender) const;
    std::size_t seal_bytes(const Envelope& envelope,
                           std::span<const std::byte> plain,
                           std::span<std::byte> out) const;
    /// Of a datagram whose prefix is as it should be. False: not authentic.
    [[nodiscard]] bool open_bytes(const Envelope& envelope,
                                  std::span<const std::byte> datagram,
                                  std::byte* plain) const;

    ClusterGuid cluster_;
    std::uint64_t cluster_tag_ = 0;
    std::shared_ptr<KeyRing> keys_;
};

}  // namespace css::netbeat
