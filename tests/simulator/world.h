#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulator/counters.h"
#include "tests/simulator/machine.h"
#include "tests/simulator/options.h"
#include "tests/simulator/prng.h"
#include "tests/simulator/trace.h"

namespace css::sim {

enum class Verdict : std::uint8_t { kPassed, kSafety, kLiveness };

/// Thrown by a checker; ends the run.
struct Violation {
    Verdict verdict = Verdict::kSafety;
    std::string invariant;
    std::string what;
};

class Ambusher;
class Audit;
class Checkers;
class Disks;
class Fencing;
class FileSets;
class Lifecycle;
class Network;
class Runtime;
class Timeline;

/// What all parts of one run share. One thread; everything happens in run().
struct World {
    World(const Options& drawn, Counters& counted)
        : options(drawn),
          counters(counted),
          prng_network(drawn.seed, 2),
          prng_disk(drawn.seed, 3),
          prng_host(drawn.seed, 4) {}

    Options options;
    Counters& counters;
    EventQueue queue;
    SimTime now = 0;
    std::vector<Machine> machines;  ///< The nodes, then one guest (clone or foreign host).
    Prng prng_network;  ///< One stream for each part: a change in one leaves the others alone.
    Prng prng_disk;
    Prng prng_host;
    Trace trace;
    bool faults_on = false;
    std::uint64_t requests = 0;  ///< Identity of operator requests.

    Ambusher* ambusher = nullptr;
    Audit* audit = nullptr;  ///< Null: the run is not audited.
    Checkers* checkers = nullptr;
    Disks* disks = nullptr;
    Fencing* fencing = nullptr;
    FileSets* file_sets = nullptr;
    Lifecycle* lifecycle = nullptr;
    Network* network = nullptr;
    Runtime* runtime = nullptr;
    Timeline* timeline = nullptr;  ///< Looks on, when a page is to be drawn.

    void at(SimTime time,
            EventKind kind,
            unsigned machine,
            std::uint32_t life,
            std::uint32_t argument = 0,
            FileIndex file = {}) {
        queue.push({.time = std::max(time, now),
                    .kind = kind,
                    .file = static_cast<std::uint8_t>(file.index()),
                    .machine = static_cast<std::uint16_t>(machine),
                    .life = life,
                    .argument = argument});
    }
    [[nodiscard]] unsigned nodes() const { return options.nodes(); }
    [[nodiscard]] Duration beat() const { return interval(options.initial()); }
};

}  // namespace css::sim
