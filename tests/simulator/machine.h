#pragma once

#include <cstdint>
#include <memory>

#include "cssd/core/arbiter.h"
#include "tests/simulator/drifting_clock.h"

namespace css::sim {

/// Where an Output that is being carried out was interrupted: the next effect.
enum class Stage : std::uint8_t { kLease, kCycles, kHeartbeat, kRest };

/// What the two guardians of a host hold. They are modelled as one: both have got an end before it
/// is acknowledged, and of two different ends the earlier one fences, so a second guardian adds
/// nothing but a host that stops earlier.
struct Guardian {
    Instance instance;
    bool armed = false;
    Instant end = kNever;
    bool final = false;             ///< The end was cut short for good.
    SimTime timer_at = 0;           ///< Of the earliest timer under way; 0: none.
    bool fencing = false;           ///< The stop of this host, or of its clients, is under way.
    SimTime fenced_at = 0;          ///< Its cause.
    std::uint32_t daemon_life = 0;  ///< Whose messages count.
    SimTime heard_at = 0;           ///< Messages of one daemon arrive in their order.
};

/// The clients' page, and whether there are clients that act by it. Clients that do not look at the
/// page but act from the first token on until they are killed are the worst case, and the one that
/// reboottime is for; these are modelled.
struct Clients {
    Instance instance;
    bool acting = false;   ///< Told once that they may act; not killed since.
    Instance closed;       ///< Drained or killed: none of its clients starts again.
    bool may_act = false;  ///< What the page says, together with `end`.
    Instant end = kNever;
    Incarnation token;
};

/// The daemon process: the real core and what its shell remembers.
struct Daemon {
    std::unique_ptr<core::Arbiter> arbiter;  ///< Null: no process.
    std::uint32_t life = 0;                  ///< Events of an older life are not its own.
    bool former_gone = false;
    bool leaving = false;   ///< Asked to leave, or drained.
    bool stopping = false;  ///< Asked its shell to fence.
    SimTime started_at = 0;
    SimTime paused_until = 0;
    unsigned held_back = 0;    ///< Datagrams that wait for the end of a pause.
    bool interrupted = false;  ///< `rest` is still to be carried out, from `rest_stage` on.
    Stage rest_stage = Stage::kLease;
    core::Output rest;
    Instant wake_at = kForever;
    SimTime wake_event_at = 0;  ///< Of the earliest wake under way; 0: none.
    bool standby = false;
    Instance instance;  ///< Known from what it publishes; else of unique zero.
    NodeState state = NodeState::kJoining;
    Incarnation published;  ///< Newest record that it wrote.
    Incarnation ballot;     ///< Instance, mbal and bal of the newest ballot block that it wrote.
    std::uint64_t mbal = 0;
    std::uint64_t bal = 0;
    FileSet opened;
    PerFile<FileTag> opened_tag;
};

enum class Role : std::uint8_t {
    kNode,     ///< One of the configured nodes' own hosts.
    kClone,    ///< Same number, same host id: a copied disk image.
    kForeign,  ///< Same number on other hardware.
};

/// One host. Nothing here is known to any other host but by datagrams and voting files.
struct Machine {
    unsigned index = 0;
    Role role = Role::kNode;
    NodeNumber number;
    HostId host;
    BootId boot;
    SimTime ppm = 0;
    DriftingClock clock;
    std::int64_t wall_jump_seconds = 0;
    std::uint32_t weight = 1;
    bool on = false;
    bool keep_running = true;  ///< Somebody restarts host and daemon when they have ended.
    std::uint32_t life = 0;    ///< Of the host; grows at each crash.
    SimTime frozen_until = 0;
    SimTime protected_until = 0;    ///< No faults here: a clone of it runs (PROTOCOL 8).
    SimTime excused_at = kLongAgo;  ///< Last time a fault of this host or its paths was on.
    Guardian guardian;
    Clients clients;
    Daemon daemon;

    [[nodiscard]] bool frozen(SimTime now) const { return frozen_until > now; }
    [[nodiscard]] bool running() const { return on && daemon.arbiter != nullptr; }
    /// Whether something on this host may act at this moment. A frozen host whose end has passed
    /// does not: its guardian looks first when it wakes.
    [[nodiscard]] bool may_act(SimTime now) const {
        return on && clients.acting && !(frozen(now) && clock.local(now) >= guardian.end);
    }
};

}  // namespace css::sim
