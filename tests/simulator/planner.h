#pragma once

#include "tests/simulator/disks.h"
#include "tests/simulator/schedule.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// What a torn write of this action leaves.
[[nodiscard]] NextWrite tear_of(const FaultAction& action);

/// Carries out the schedule within the assumptions of PROTOCOL 9: what loses data is
/// a minority of files, fixed for the run; clones only beside a healthy original; everything ends
/// with the fault phase.
class Planner {
public:
    explicit Planner(World& world);

    void schedule();
    void on_fault(const Event& event);
    /// Does it now, if it can be done to these nodes in their state.
    void perform(const FaultAction& action);
    void on_tick(const Event& event);
    void on_writer_dies(const Event& event);
    /// The end of the fault phase: everything reachable, running and wanted again.
    void heal_all();

private:
    void push_fault(unsigned which);
    void network_fault(const FaultAction& action, Prng& prng);
    void partition(const FaultAction& action, Prng& prng);
    void disk_fault(const FaultAction& action, Prng& prng);
    void path_error(const FaultAction& action, Prng& prng);
    void file_fault(const FaultAction& action, Prng& prng);
    void restore_file(unsigned file, std::uint32_t tries);
    [[nodiscard]] bool possible(const FaultAction& action) const;
    /// The first file that may lose data, from this one on; the count of files: none.
    [[nodiscard]] unsigned insane_file(unsigned from) const;
    void host_fault(const FaultAction& action, Prng& prng);
    void guest_fault(const FaultAction& action);
    void request_fault(const FaultAction& action, Prng& prng);
    void set_parameters(Machine& machine, Prng& prng);
    [[nodiscard]] bool listens(const Machine& machine) const;
    void ask(Machine& machine, const core::OperatorRequest& request);
    [[nodiscard]] bool may_touch(const Machine& machine) const;

    World& world_;
    SimTime misscount_;
    std::uint64_t first_order_ = 0;  ///< Of the faults, in the queue of events.
};

}  // namespace css::sim
