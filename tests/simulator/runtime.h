#pragma once

#include <bitset>
#include <cstddef>
#include <deque>

#include "tests/simulator/place.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// The shell of each daemon: steps the real core and carries out what it answers, in the order of
/// Output's members; may be stopped between any two of them.
class Runtime {
public:
    explicit Runtime(World& world) : world_(world) {}

    /// Steps the daemon of this machine, which must run and not be paused.
    void step(Machine& machine, const core::Input& input);
    void on_wake(Machine& machine);
    /// The end of a pause: what was interrupted goes on first.
    void on_resume(Machine& machine);
    void pause(Machine& machine, SimTime until);
    void request(Machine& machine, core::OperatorRequest request);

private:
    void carry_out_step(Machine& machine, core::Output& output);
    void carry_out(Machine& machine, core::Output& output, Stage from);
    static bool has_effect(const core::Output& output, Stage stage);
    /// True: the daemon is stopped at `next`; the rest of `output` waits for on_resume.
    bool interrupted(Machine& machine, core::Output& output, Stage next);
    /// False: an ambush has ended the daemon.
    bool carry_out_cycles(Machine& machine, const core::Output& output);
    void mix(const Machine& machine, std::uint64_t what);
    static bool decides(const Machine& machine, const core::Output& output);
    /// Remembers what this cycle publishes; the places that are reached by it.
    static std::bitset<kPlaces> note_published(Daemon& daemon,
                                               NodeNumber self,
                                               const core::CycleOrder::Own& own);
    void carry_out_rest(Machine& machine, core::Output& output);
    void schedule_wake(Machine& machine);
    void count(Machine& machine, const core::Notice& notice);

    World& world_;
    /// Of the step under way, and of steps that it brings about; kept for the room in them.
    std::deque<core::Output> outputs_;
    std::size_t depth_ = 0;
};

}  // namespace css::sim
