#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "netbeat/wire/heartbeat.h"

namespace css::netbeat {

/// The plain form of a heartbeat, before sealing; WIRE.md shows it field by field. A fixed head,
/// then one unique for every slot in `listed`, one tag for every voting file of the record, one
/// echo for every slot in `echoed`: the sets in the head fix the order, so an entry twice or out of
/// order cannot be written down at all.
inline constexpr std::uint8_t kPlainVersion = 2;
inline constexpr std::size_t kPlainHeadSize = 102;
inline constexpr std::size_t kPlainSenderAt = 3;  ///< One byte; the datagram's prefix repeats it.
inline constexpr std::size_t kPlainUniqueSize = 4;
inline constexpr std::size_t kPlainTagSize = 4;
inline constexpr std::size_t kPlainEchoSize = 12;
inline constexpr std::size_t kPlainSizeMax = kPlainHeadSize + kNodesMax * kPlainUniqueSize +
                                             kFilesMax * kPlainTagSize +
                                             (kNodesMax - 1) * kPlainEchoSize;

/// What decode() found; everything but kValid names the first broken rule. The order is the order
/// of the checks.
enum class PlainVerdict : std::uint8_t {
    kValid,
    kTooShort,  ///< Shorter than the head, or than the head says.
    kBadVersion,
    kTrailingBytes,
    kBadState,
    kBadFlags,
    kBadSender,      ///< Node number not 1..64.
    kNoUnique,       ///< Unique of the sender is zero.
    kNoSequence,     ///< Zero means 'nothing heard' in an echo: nobody may send it.
    kBadParameters,  ///< Not 0 < reboottime < misscount < disktimeout.
    kBadFiles,       ///< A file index above 14.
    kBadProposer,
    kBadCause,
    kBadRecord,        ///< R_0 with members or uniques.
    kMemberNotListed,  ///< A member without a unique.
    kListedWithoutUnique,
    kEchoOfSender,  ///< The sender echoes itself.
    kEchoWithoutUnique,
};
[[nodiscard]] std::string_view describe(PlainVerdict verdict);

/// Writes the plain form of `heartbeat` to the front of `out` (at least kPlainSizeMax bytes) and
/// returns its size. Sparse: slots never listed and nodes never heard take no bytes; the echo entry
/// of the sender itself is left out. Aborts when the heartbeat breaks a rule that decode() checks:
/// that is an error of the program, and nobody would accept it. Pure; allocates nothing.
[[nodiscard]] std::size_t encode(const Heartbeat& heartbeat, std::span<std::byte> out);

/// Reads exactly one plain heartbeat that fills `bytes`. `heartbeat` is changed only when the
/// verdict is kValid. Pure; allocates nothing.
[[nodiscard]] PlainVerdict decode(std::span<const std::byte> bytes, Heartbeat& heartbeat);

}  // namespace css::netbeat
