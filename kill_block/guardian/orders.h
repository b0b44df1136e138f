#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <netinet/in.h>

#include "cssd/base/types.h"

/// What a guardian must know to act when its daemon no longer can: a sealed memfd that the daemon
/// fills and hands over with its hello. The fixed part is written before that and never changes;
/// the farewell is kept up to date by the daemon.
namespace css::guardian {

/// The fence action of the configuration.
enum class Action : std::uint32_t { kExit = 0, kKillClients = 1, kReboot = 2, kCommand = 3 };

inline constexpr std::uint32_t kOrdersMagic = 0x4F535343;  // "CSSO"
inline constexpr std::uint32_t kOrdersVersion = 1;
inline constexpr std::size_t kCommandMax = 1024;  ///< With the terminating zero, as all below.
inline constexpr std::size_t kOrdersPathMax = 1024;
inline constexpr std::size_t kOrdersNameMax = 72;

template <std::size_t N>
using Text = std::array<char, N>;  ///< Ends with a zero; empty: not given.

struct FixedOrders {
    Action action = Action::kExit;
    std::uint32_t node = 0;
    Text<kOrdersNameMax> node_name{};
    Text<kCommandMax> fence_command{};
    Text<kCommandMax> drain_command{};
    Text<kOrdersPathMax> run_dir{};
    Text<kOrdersPathMax> alert_log{};
    Text<kOrdersPathMax> trace_file{};
    Text<kOrdersPathMax> watchdog{};
    /// Instead of a reset `b` is written there, and the machine goes on: for tests.
    Text<kOrdersPathMax> reset_file{};
};

/// What the guardian says to the other nodes in the daemon's name when that is dead: heartbeats
/// that the daemon has sealed beforehand, with sequences above all that it uses itself. They say
/// only what the guardian alone can know: that it is stopping this host, or that every client is
/// gone.
enum class Farewell : std::uint8_t { kResetting = 0, kFenced = 1 };
inline constexpr std::size_t kFarewells = 2;
inline constexpr std::size_t kFarewellSizeMax = 1232;
inline constexpr std::size_t kTargetsMax = 63 * 8;  ///< Every other node on every interconnect.

union FarewellAddress {
    sockaddr any;
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
};

struct FarewellTarget {
    FarewellAddress from;  ///< Own address on that interconnect, port 0.
    FarewellAddress to;
};

struct FarewellSet {
    std::uint32_t node = 0;
    std::uint32_t unique = 0;
    std::array<std::uint32_t, kFarewells> sizes{};
    std::array<std::array<std::byte, kFarewellSizeMax>, kFarewells> datagrams{};
    std::uint32_t targets = 0;
    std::array<FarewellTarget, kTargetsMax> target{};
};

struct OrdersPage {
    std::atomic<std::uint32_t> magic;
    std::atomic<std::uint32_t> version;
    FixedOrders fixed;
    /// The newest set is sets[generation % 2]; 0: there is none yet. The daemon fills the other one
    /// before it counts up, so a daemon that dies anywhere leaves a whole set behind.
    std::atomic<std::uint32_t> generation;
    std::array<FarewellSet, 2> sets;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace css::guardian
