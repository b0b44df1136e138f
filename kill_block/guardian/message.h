#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "cssd/base/time.h"
#include "cssd/base/types.h"

/// What cssd and a guardian say to each other: one SEQPACKET datagram of 64 bytes each. Field by
/// field in GUARDIAN.md.
namespace css::guardian {

inline constexpr std::size_t kMessageSize = 64;
using MessageBytes = std::array<std::byte, kMessageSize>;

enum class Kind : std::uint16_t {
    // From the daemon; each gets exactly one answer (flag kFlagAnswer), in order.
    kHello =
        1,  ///< Descriptors: own pidfd, orders, lease page (both optional). `time`: last words.
    kLease = 2,     ///< instance, serial, `time` = end, reboottime, kFlagArmed, kFlagReleased,
                    ///< kFlagFinal.
    kFence = 3,     ///< instance, `time` = deadline of the daemon, reason, by.
    kDrain = 4,     ///< instance, `time` = when to kill what is left.
    kEnlist = 5,    ///< client; descriptor: its pidfd, or with kFlagCgroup a cgroup's directory.
    kDismiss = 6,   ///< client
    kShutdown = 7,  ///< End, if nothing is guarded.
    kFormer = 8,    ///< Before hello: as kEnlist, a client of a former daemon, to be killed now.
    kPage = 9,      ///< Descriptor: another lease page, for the next instance.
    kReset = 10,    ///< Reset this host.
    kPartner = 11,  ///< Descriptor: pidfd of the other guardian.
    // From the guardian.
    kWaiting = 16,  ///< Not yet yours: flag kFlagFormerAlive, count = clients left; client = pid.
    kWelcome = 17,  ///< Yours now. Flags kFlagNotRealtime, kFlagNotLocked.
    kAcknowledge = 18,  ///< instance, serial: held. Also the answer to dismiss and shutdown.
    kRefuse = 19,       ///< instance, serial: not held; reason = Refusal.
    kEnlisted = 20,     ///< client; flag kFlagHeld or not.
    kClients = 21,      ///< count = clients left, during drain and fence; flag kFlagFencing.
    /// reason = WatchdogState; count = time-out in seconds when armed, else an errno or what was
    /// read back. Whenever that changes.
    kWatchdog = 22,
};
inline constexpr std::uint16_t kRequestMax = static_cast<std::uint16_t>(Kind::kPartner);
inline constexpr std::uint16_t kAnswerMin = static_cast<std::uint16_t>(Kind::kWaiting);
inline constexpr std::uint16_t kAnswerMax = static_cast<std::uint16_t>(Kind::kWatchdog);

inline constexpr std::uint32_t kFlagArmed = 1U << 0;
inline constexpr std::uint32_t kFlagReleased = 1U << 1;
inline constexpr std::uint32_t kFlagFinal = 1U << 2;
inline constexpr std::uint32_t kFlagFormerAlive = 1U << 3;
inline constexpr std::uint32_t kFlagNotRealtime = 1U << 4;
inline constexpr std::uint32_t kFlagNotLocked = 1U << 5;
inline constexpr std::uint32_t kFlagHeld = 1U << 6;
inline constexpr std::uint32_t kFlagFencing = 1U << 7;
inline constexpr std::uint32_t kFlagAnswer = 1U << 8;  ///< Answers a request; else unasked.
inline constexpr std::uint32_t kFlagCgroup = 1U << 9;
inline constexpr std::uint32_t kFlagFreezer = 1U << 10;  ///< With kFlagCgroup: of version 1.
inline constexpr std::uint32_t kFlagNoReset = 1U << 11;  ///< This guardian cannot reset the host.
inline constexpr std::uint32_t kFlagsAll = (1U << 12) - 1;

/// Every message; what a kind does not use is zero.
struct Message {
    Kind kind = Kind::kHello;
    std::uint32_t flags = 0;
    Instance instance = {};
    std::uint32_t count = 0;
    std::uint64_t serial = 0;
    std::int64_t time = 0;  ///< ns: a point of CLOCK_BOOTTIME, in kHello a length.
    std::uint64_t client = 0;
    std::uint8_t reason = 0;
    NodeNumber by = {};
    std::uint32_t reboottime_ms = 0;
    friend bool operator==(const Message&, const Message&) = default;

    [[nodiscard]] bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
    [[nodiscard]] Instant instant() const { return Instant{Duration{time}}; }
};

MessageBytes encode(const Message& message);
/// Nothing: not a message of this version (size, magic, version, kind, a bit that must be zero).
std::optional<Message> decode(std::span<const std::byte> bytes);

/// Why a guardian did not hold an update.
enum class Refusal : std::uint8_t {
    kNone = 0,
    kNotYours = 1,     ///< The connection is not (yet) the daemon's.
    kOldSerial = 2,    ///< Not newer than the one held.
    kOldInstance = 3,  ///< Another instance, and not a later one.
    kCut = 4,          ///< A later end after a final one.
    kPassed = 5,       ///< The end held has passed: never renewed.
    kClientsLeft = 6,  ///< Clients of an armed instance are left.
    kReleased = 7,     ///< The instance had been released.
    kMalformed = 8,    ///< Descriptor missing, instance empty, not permitted.
};
const char* text_of(Refusal refusal);

/// What became of the watchdog device.
enum class WatchdogState : std::uint8_t {
    kNone = 0,  ///< Not configured, or not yet armed.
    kArmed = 1,
    kNotOpened = 2,  ///< count = errno
    kNotSet = 3,     ///< Its time-out could not be set or read; count = errno.
    kOther = 4,      ///< It holds another time-out than it was asked for; count = that one.
    kTooShort = 5,   ///< reboottime leaves no room for a watchdog.
    kNotFed = 6,     ///< A feed failed; count = errno.
};

}  // namespace css::guardian
