#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "cssd/base/types.h"
#include "netbeat/wire/codec.h"
#include "netbeat/wire/heartbeat.h"
#include "netbeat/wire/key_file.h"

namespace css::netbeat {

/// A datagram: a clear prefix, a random nonce, the sealed plain heartbeat with its tag. WIRE.md.
inline constexpr std::uint8_t kDatagramVersion = 1;
inline constexpr std::size_t kPrefixSize = 14;  ///< Magic 4, version 1, sender 1, cluster tag 8.
inline constexpr std::size_t kNonceSize = 24;
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kSealOverhead = kPrefixSize + kNonceSize + kTagSize;
inline constexpr std::size_t kDatagramSizeMax = kSealOverhead + kPlainSizeMax;
inline constexpr std::size_t kDatagramSizeMin = kSealOverhead + kPlainHeadSize;
// The smallest MTU that IPv6 allows, less the IPv6 and UDP headers: never fragmented anywhere.
static_assert(kDatagramSizeMax <= 1280 - 40 - 8);

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

/// Seals heartbeats and opens them again with XChaCha20-Poly1305 under the cluster's shared key.
/// Bound in as additional data: magic, version, sender number, cluster GUID. So a datagram counts
/// only in its cluster and for its sender; that it is not an old one is for the core to see, by
/// (u, seq). One key for the whole cluster: a node that has it can speak for any other.
/// Never changes after construction: any thread may use it, several at once.
class Sealer {
public:
    /// Seals with `key`; opens with it and, while the cluster moves from one key to the next, with
    /// `other` as well.
    Sealer(const ClusterGuid& cluster, const Key& key, const std::optional<Key>& other = {});

    /// Writes the datagram to the front of `out` (at least kDatagramSizeMax bytes), returns its
    /// size. Aborts on a heartbeat that breaks a rule of the format, as encode() does.
    [[nodiscard]] std::size_t seal(const Heartbeat& heartbeat, std::span<std::byte> out) const;

    /// Opens a datagram that came from the address of `sender`. `heartbeat` is changed only when
    /// the verdict is kAccepted; then it is authentic and `heartbeat.sender.node` is `sender`.
    [[nodiscard]] DatagramVerdict open(std::span<const std::byte> datagram,
                                       NodeNumber sender,
                                       Heartbeat& heartbeat) const;

private:
    ClusterGuid cluster_;
    std::uint64_t cluster_tag_ = 0;
    Key key_;
    std::optional<Key> other_;
};

}  // namespace css::netbeat
