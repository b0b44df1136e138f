#pragma once

#include <string>

#include "tests/simulator/ambush.h"
#include "tests/simulator/audit.h"
#include "tests/simulator/checkers.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/fencing.h"
#include "tests/simulator/file_sets.h"
#include "tests/simulator/lifecycle.h"
#include "tests/simulator/network.h"
#include "tests/simulator/planner.h"
#include "tests/simulator/runtime.h"

namespace css::sim {

/// One cluster and its world, put together; the loop that drives it.
class Simulation {
public:
    Simulation(const Options& options, Counters& counters);
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;
    Simulation(Simulation&&) = delete;
    Simulation& operator=(Simulation&&) = delete;
    ~Simulation() = default;

    /// Boots every node, one after the other within `spread`.
    void start(SimTime spread);
    void run_until(SimTime time);
    /// Runs until `done` holds, looking every `step`; false: it did not by `limit`.
    template <class Done>
    [[nodiscard]] bool run_until_holds(SimTime limit, SimTime step, Done done) {
        while (!done()) {
            if (world.now >= limit) {
                return false;
            }
            run_until(std::min(limit, world.now + step));
        }
        return true;
    }
    /// Every node acts, under one complete record that lists them all.
    [[nodiscard]] bool all_in() const;
    /// The acting nodes, by index, when all of them act under the newest complete record.
    [[nodiscard]] std::uint64_t acting() const;

    World world;
    Network network;
    Disks disks;
    Fencing fencing;
    Runtime runtime;
    Lifecycle lifecycle;
    FileSets file_sets;
    Checkers checkers;
    Planner planner;
    Ambusher ambusher;
    Audit audit;

private:
    void dispatch(Event event);
    void dispatch_world(const Event& event);
    void dispatch_host(Machine& machine, const Event& event);
    void dispatch_daemon(Machine& machine, const Event& event);
    /// True: the event waits for the end of a pause, or was dropped.
    bool held_back(Machine& machine, const Event& event);
};

}  // namespace css::sim
