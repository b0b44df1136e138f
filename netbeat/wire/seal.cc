#include "netbeat/wire/seal.h"

#include <algorithm>
#include <array>
#include <utility>

#include <sodium.h>

#include "cssd/base/check.h"
#include "netbeat/wire/bytes.h"

namespace css::netbeat {

namespace {

constexpr std::uint32_t kHeartbeatMagic = 0x42535343;  // "CSSB" on the wire.
constexpr std::uint32_t kMessageMagic = 0x4D535343;    // "CSSM".
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kSenderAt = 5;
constexpr std::size_t kClusterAt = 6;
static_assert(kClusterAt + sizeof(std::uint64_t) == kPrefixSize);
static_assert(kKeySize == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagSize == crypto_aead_xchacha20poly1305_ietf_ABYTES);

using Prefix = std::array<std::byte, kPrefixSize>;
using Additional = std::array<std::byte, kPrefixSize + sizeof(Bytes16)>;
using Plain = std::array<std::byte, kPlainSizeMax>;

// libsodium speaks of unsigned char.
unsigned char* raw(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* raw(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

std::uint64_t tag_of(const ClusterGuid& cluster) {
    std::array<std::byte, crypto_generichash_BYTES_MIN> hash{};
    const int done = crypto_generichash(
        raw(hash.data()), hash.size(), raw(cluster.bytes.data()), cluster.bytes.size(), nullptr, 0);
    CSS_CHECK(done == 0);
    return bytes::load<std::uint64_t>(hash.data());
}

/// The checks that need no key, cheapest first.
DatagramVerdict check_prefix(std::span<const std::byte> datagram,
                             const Prefix& expected,
                             std::size_t size_min,
                             std::size_t size_max) {
    if (datagram.size() < size_min) {
        return DatagramVerdict::kTooShort;
    }
    if (datagram.size() > size_max) {
        return DatagramVerdict::kTooLong;
    }
    const auto differs = [&](std::size_t from, std::size_t to) {
        return !std::equal(expected.begin() + static_cast<std::ptrdiff_t>(from),
                           expected.begin() + static_cast<std::ptrdiff_t>(to),
                           datagram.begin() + static_cast<std::ptrdiff_t>(from));
    };
    if (differs(0, kVersionAt)) {
        return DatagramVerdict::kBadMagic;
    }
    if (differs(kVersionAt, kSenderAt)) {
        return DatagramVerdict::kBadVersion;
    }
    if (differs(kClusterAt, kPrefixSize)) {
        return DatagramVerdict::kWrongCluster;
    }
    if (differs(kSenderAt, kClusterAt)) {
        return DatagramVerdict::kWrongSender;
    }
    return DatagramVerdict::kAccepted;
}

bool open_with(const Key& key,
               const Additional& additional,
               std::span<const std::byte> datagram,
               std::byte* plain) {
    const std::byte* nonce = datagram.data() + kPrefixSize;
    const std::byte* sealed = nonce + kNonceSize;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(raw(plain),
                                                      nullptr,
                                                      nullptr,
                                                      raw(sealed),
                                                      datagram.size() - kPrefixSize - kNonceSize,
                                                      raw(additional.data()),
                                                      additional.size(),
                                                      raw(nonce),
                                                      raw(key.bytes().data())) == 0;
}

}  // namespace

/// The clear prefix, and what is authenticated besides the sealed bytes: the prefix and the whole
/// GUID, of which the prefix shows a hash only.
struct Sealer::Envelope {
    Prefix prefix{};
    Additional additional{};
};

Sealer::Envelope Sealer::envelope_of(DatagramKind kind, NodeNumber sender) const {
    Envelope envelope;
    Prefix& prefix = envelope.prefix;
    bytes::store(&prefix[0], kind == DatagramKind::kMessage ? kMessageMagic : kHeartbeatMagic);
    bytes::store(&prefix[kVersionAt], kDatagramVersion);
    bytes::store(&prefix[kSenderAt], static_cast<std::uint8_t>(sender.value()));
    bytes::store(&prefix[kClusterAt], cluster_tag_);
    const auto end = std::copy(prefix.begin(), prefix.end(), envelope.additional.begin());
    std::copy(cluster_.bytes.begin(), cluster_.bytes.end(), end);
    return envelope;
}

DatagramKind kind_of(std::span<const std::byte> datagram) {
    return datagram.size() >= sizeof kMessageMagic &&
                   bytes::load<std::uint32_t>(datagram.data()) == kMessageMagic
               ? DatagramKind::kMessage
               : DatagramKind::kHeartbeat;
}

NodeNumber sender_named(std::span<const std::byte> datagram) {
    const unsigned number =
        datagram.size() < kDatagramSizeMin ? 0 : std::to_integer<unsigned>(datagram[kSenderAt]);
    return number == 0 || number > kNodesMax ? NodeNumber{} : NodeNumber{number};
}

Sealer::Sealer(const ClusterGuid& cluster, const Key& key)
    : Sealer(cluster, std::make_shared<KeyRing>(key)) {}

Sealer::Sealer(const ClusterGuid& cluster, std::shared_ptr<KeyRing> keys)
    : cluster_(cluster), keys_(std::move(keys)) {
    CSS_CHECK(keys_ != nullptr);
    CSS_CHECK(sodium_init() >= 0);
    cluster_tag_ = tag_of(cluster);
}

std::size_t Sealer::seal_bytes(const Envelope& envelope,
                               std::span<const std::byte> plain,
                               std::span<std::byte> out) const {
    CSS_CHECK(out.size() >= kSealOverhead + plain.size());
    std::copy(envelope.prefix.begin(), envelope.prefix.end(), out.begin());
    std::byte* nonce = out.data() + kPrefixSize;
    const KeyRing::Keys keys = keys_->keys();
    // 24 random bytes never repeat in practice, over restarts and nodes too: no counter to keep.
    randombytes_buf(nonce, kNonceSize);
    const int done = crypto_aead_xchacha20poly1305_ietf_encrypt(raw(nonce + kNonceSize),
                                                                nullptr,
                                                                raw(plain.data()),
                                                                plain.size(),
                                                                raw(envelope.additional.data()),
                                                                envelope.additional.size(),
                                                                nullptr,
                                                                raw(nonce),
                                                                raw(keys.sealing.bytes().data()));
    CSS_CHECK(done == 0);
    return kSealOverhead + plain.size();
}

bool Sealer::open_bytes(const Envelope& envelope,
                        std::span<const std::byte> datagram,
                        std::byte* plain) const {
    const KeyRing::Keys keys = keys_->keys();
    const auto opens = [&](const Key& key) {
        return open_with(key, envelope.additional, datagram, plain);
    };
    if (opens(keys.sealing) || (keys.former && opens(*keys.former))) {
        return true;
    }
    if (!keys.next || !opens(*keys.next)) {
        return false;
    }
    // Else a node that has moved, and whose daemon died before it said so, would be deaf when it
    // starts again: its key file has the next key only.
    keys_->move_to(*keys.next);
    return true;
}

std::size_t Sealer::seal(const Heartbeat& heartbeat, std::span<std::byte> out) const {
    CSS_CHECK(out.size() >= kDatagramSizeMax);
    Plain plain;
    const std::size_t size = encode(heartbeat, plain);
    return seal_bytes(envelope_of(DatagramKind::kHeartbeat, heartbeat.sender.node),
                      std::span<const std::byte>{plain}.first(size),
                      out);
}

DatagramVerdict Sealer::open(std::span<const std::byte> datagram,
                             NodeNumber sender,
                             Heartbeat& heartbeat) const {
    CSS_CHECK(sender.is_some());
    const Envelope envelope = envelope_of(DatagramKind::kHeartbeat, sender);
    if (const auto verdict =
            check_prefix(datagram, envelope.prefix, kDatagramSizeMin, kDatagramSizeMax);
        verdict != DatagramVerdict::kAccepted) {
        return verdict;
    }
    Plain plain;
    if (!open_bytes(envelope, datagram, plain.data())) {
        return DatagramVerdict::kNotAuthentic;
    }
    const auto opened = std::span<const std::byte>{plain}.first(datagram.size() - kSealOverhead);
    // The sender stands in both, so look before `heartbeat` is touched.
    if (std::to_integer<unsigned>(opened[kPlainSenderAt]) != sender.value()) {
        return DatagramVerdict::kMalformed;
    }
    return decode(opened, heartbeat) == PlainVerdict::kValid ? DatagramVerdict::kAccepted
                                                             : DatagramVerdict::kMalformed;
}

std::size_t Sealer::seal_message(NodeNumber sender,
                                 std::span<const std::byte> message,
                                 std::span<std::byte> out) const {
    CSS_CHECK(!message.empty());
    CSS_CHECK(message.size() <= kMessageSizeMax);
    return seal_bytes(envelope_of(DatagramKind::kMessage, sender), message, out);
}

DatagramVerdict Sealer::open_message(std::span<const std::byte> datagram,
                                     NodeNumber sender,
                                     std::span<std::byte> out) const {
    CSS_CHECK(sender.is_some());
    CSS_CHECK(out.size() >= kMessageSizeMax);
    const Envelope envelope = envelope_of(DatagramKind::kMessage, sender);
    if (const auto verdict =
            check_prefix(datagram, envelope.prefix, kSealOverhead + 1, kUnfragmentedMax);
        verdict != DatagramVerdict::kAccepted) {
        return verdict;
    }
    return open_bytes(envelope, datagram, out.data()) ? DatagramVerdict::kAccepted
                                                      : DatagramVerdict::kNotAuthentic;
}

std::string_view describe(DatagramVerdict verdict) {
    switch (verdict) {
        case DatagramVerdict::kAccepted: return "accepted";
        case DatagramVerdict::kUnknownAddress: return "not from a configured address";
        case DatagramVerdict::kTooShort: return "too short";
        case DatagramVerdict::kTooLong: return "too long";
        case DatagramVerdict::kBadMagic: return "not a heartbeat of ours";
        case DatagramVerdict::kBadVersion: return "unknown version";
        case DatagramVerdict::kWrongCluster: return "of another cluster";
        case DatagramVerdict::kWrongSender: return "sender number is not that of its address";
        case DatagramVerdict::kNotAuthentic: return "not sealed with this cluster's key";
        case DatagramVerdict::kMalformed: return "authentic but malformed";
    }
    return "?";
}

}  // namespace css::netbeat
