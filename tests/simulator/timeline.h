#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/simulator/run.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// What happened in one run, as a page that draws it: one file, no outside resources.
///
/// It looks at the world after each event and keeps what changed, and it is given every line of
/// the trace; it changes nothing, so that the run is the same with and without it.
class Timeline {
public:
    explicit Timeline(const Options& options) : options_(options) {}

    /// The world that it looks at from now on; it gets the trace's lines.
    void attach(World& world);
    /// After each event.
    void sample();
    /// The run is over; the world is looked at for the last time.
    void end(const RunResult& result);
    /// The core crashed; so much is known of it.
    void crash();
    [[nodiscard]] std::string page() const;

private:
    /// A value over time: changes only.
    struct Track {
        struct Change {
            SimTime at = 0;
            std::string value;
        };
        std::vector<Change> changes;
        void set(SimTime at, const std::string& value);
    };
    struct Lane {
        unsigned node = 0;
        bool guest = false;
        Track host, daemon, paused, acts, record;
        std::vector<std::pair<SimTime, SimTime>> lease;  ///< When told, and the end told.
    };

    void sample_machine(const Machine& machine, Lane& lane);
    void sample_links();
    void sample_paths();

    Options options_;
    const World* world_ = nullptr;  ///< Only while it runs.
    std::vector<TraceLine> lines_;
    std::vector<Lane> lanes_;
    std::map<std::pair<unsigned, unsigned>, Track> links_;  ///< By the two machines.
    std::map<std::pair<unsigned, unsigned>, Track> paths_;  ///< By file, then machine.
    RunResult result_;
    bool crashed_ = false;
};

}  // namespace css::sim
