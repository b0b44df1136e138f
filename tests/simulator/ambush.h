#pragma once

#include <vector>

#include "tests/simulator/planner.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// Lies in wait.
class Ambusher {
public:
    Ambusher(World& world, Planner& planner);

    [[nodiscard]] bool waits_at(Place place) const;
    /// This machine is at the place, and may be done anything to now: its daemon, too.
    void spring(Place place, Machine& machine);
    /// Somewhere this node came to the place: its turn is a moment later.
    void spring_later(Place place, NodeNumber node);
    void on_event(const Event& event);

private:
    [[nodiscard]] FaultAction action(FaultKind kind, const Machine& target, unsigned percent);

    World& world_;
    Planner& planner_;
    Prng prng_;
    std::vector<FaultAction> pending_;
};

}  // namespace css::sim
