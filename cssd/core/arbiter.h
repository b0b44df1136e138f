#pragma once

#include <cstdint>

#include "cssd/core/io.h"

namespace css::core {

/// What an instance is told at its birth. Nothing here changes later, except by requests.
struct ArbiterOptions {
    NodeNumber self;
    NodeSet configured;          ///< Numbers in the nodes file, own included, deleted ones not.
    unsigned slots_used = 1;     ///< Highest number in the nodes file, deleted ones included.
    unsigned slots_max = 64;     ///< Slots that the voting files have.
    Record genesis;              ///< R_0 of the header: parameters and voting files, no members.
    HostId host;
    BootId boot;
    std::uint32_t wall_seconds = 0;   ///< Unix time at start, for the unique.
    std::uint32_t weight = 1;
    bool standby = false;        ///< start_mode disabled: heartbeats, does not join.
    /// The shell has verified that the former daemon of this boot, its clients and its I/O are
    /// gone, or that there was none in this boot (PROTOCOL 8).
    bool former_gone = false;
    std::uint64_t random_seed = 0;    ///< For the random part of waits.
};

