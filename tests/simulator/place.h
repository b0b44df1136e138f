#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/simulator/fault_kind.h"

namespace css::sim {

/// A moment at which one step of the protocol is half done. Faults at random times seldom meet
/// one; an ambush waits for it.
enum class Place : std::uint8_t {
    kInstance,   ///< A daemon has ordered the first write of a new instance.
    kDecided,    ///< A daemon's ballot has decided a record; nothing of that step is carried out.
    kRecord,     ///< A daemon has ordered the first write of a record that lists it.
    kBallot,     ///< A daemon has ordered the first write of a ballot block.
    kActive,     ///< A daemon has ordered its first ACTIVE.
    kResetting,  ///< A daemon has ordered RESETTING.
    kListed,     ///< A record that lists this node for the first time was decided.
    kDropped,    ///< A record that drops this node was decided.
    kTimeouts,   ///< A record with other time-outs was decided; any member.
};
inline constexpr std::size_t kPlaces = static_cast<std::size_t>(Place::kTimeouts) + 1;
inline constexpr std::array<std::string_view, kPlaces> kPlaceNames{"instance",
                                                                   "decided",
                                                                   "record",
                                                                   "ballot",
                                                                   "active",
                                                                   "resetting",
                                                                   "listed",
                                                                   "dropped",
                                                                   "timeouts"};

/// What is done to the node at the place, all of it, with this probability each time.
struct Ambush {
    Place place = Place::kInstance;
    std::vector<FaultKind> moves;
    unsigned permille = 1000;
    unsigned percent = 0;  ///< Duration, of misscount; 0: drawn.
};

}  // namespace css::sim
