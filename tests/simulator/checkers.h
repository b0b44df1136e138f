#pragma once

#include <string>
#include <vector>

#include "tests/simulator/world.h"

namespace css::sim {

/// What an own heartbeat replaced on one file.
struct Landed {
    Unique unique;
    Sequence sequence;
    Incarnation incarnation;
};

/// The invariants of PROTOCOL 9, judged from outside: from what daemons publish, tell their clients
/// and are seen to do, never from what they think. A broken one throws a Violation.
class Checkers {
public:
    /// `first`: the voting files as formatted.
    Checkers(World& world, const core::HeaderOrder& first);

    // What daemons do, as it happens.
    void on_publish(Machine& machine, const voting::Heartbeat& heartbeat);
    void on_send(const Machine& machine, const netbeat::Heartbeat& heartbeat);
    void on_heartbeat_landed(NodeNumber slot, const Landed& before, const SlotView& after);
    /// The core has learned a record; nothing of it is published yet.
    void on_decided(const Machine& machine);
    void on_notice(const Machine& machine, const core::Notice& notice);
    /// Before the lease is told: a record may become complete before anything shows it.
    void on_lease(const Machine& machine, const core::LeaseUpdate& lease);
    void on_token(const Machine& machine, const core::LeaseUpdate& lease);
    void on_begin_acting(const Machine& machine);
    void on_fence_self(const Machine& machine, const core::FenceSelf& order);

    // What administrators do: reasons for a node to go.
    void on_eviction_asked(NodeNumber node) { evict_asked_[node] = world_.now; }

    /// The newest record that anybody told its clients is complete; R_0 before.
    [[nodiscard]] const Record& told() const;
    /// Null: nobody has shown it yet.
    [[nodiscard]] const Record* record(Incarnation i) const {
        const bool seen = i.value() < records_.size() && records_[i.value()].seen;
        return seen ? &records_[i.value()].record : nullptr;
    }
    [[nodiscard]] const Record& newest() const { return records_.back().record; }

private:
    struct Seen {
        bool seen = false;
        SimTime at = 0;
        Record record;
    };

    void see_record(const Machine& machine, const Record& record);
    void check_joiners(const Record& before, const Record& after) const;
    void set_ambushes(const Record& before, const Record& after) const;
    void check_successor(const Record& before, const Record& after) const;
    void check_files(const Record& before, const Record& after) const;
    void check_not_needless(const Record& before, const Record& after);
    [[nodiscard]] bool departure_excused(Instance gone,
                                         const Record& before,
                                         const Record& after) const;
    [[nodiscard]] bool long_silence_near(unsigned machine, NodeSet others) const;
    void check_listed(const Machine& machine) const;
    [[nodiscard]] SimTime link_window() const;
    [[noreturn]] void fail(const char* invariant, const std::string& what) const;

    World& world_;
    std::vector<Seen> records_;    ///< By incarnation.
    Incarnation told_;             ///< Largest token that any client was given.
    PerNode<Incarnation> tokens_;  ///< Of each node, over all its lives.
    PerNode<SimTime> evict_asked_;
    SimTime reasons_since_ = 0;  ///< How old the reason of a departure may be.
};

}  // namespace css::sim
