#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "cssd/base/priority_mutex.h"
#include "cssd/core/arbiter.h"
#include "cssd/runtime/clock.h"
#include "cssd/runtime/effects.h"

namespace css::runtime {

/// The core behind one lock (STYLE 10). Any thread steps it; the step's effects are handed over
/// before the lock is let go, so outputs of concurrent steps never overtake each other. A step is
/// microseconds, and nothing under the lock waits.
///
/// One process lives through several instances: begin() replaces the core. What the shell knows for
/// longer than one instance, which files are open and which have a cycle in flight, is kept here.
class CoreHost {
public:
    /// `effects` must outlive this object.
    explicit CoreHost(Effects& effects) : effects_(effects) {}

    /// Makes the core of a new instance; the former one has ended. Files that are open are told to
    /// it: at once, or, where a cycle of the former instance is still in flight, when that has
    /// ended (PROTOCOL 8: its I/O there has ended).
    void begin(const core::ArbiterOptions& options);

    /// False: there is no core, or it has ended; nothing happened.
    bool step(const core::Input& input);

    /// The file is usable: header accepted, own slot locked.
    void file_opened(const core::FileOpened& file);
    void file_closed(FileIndex file);
    void cycle_finished(const core::CycleFinished& finished);
    /// Both guardians hold it, and the clients' page shows it. Of another instance: ignored.
    void lease_acknowledged(Instance instance, std::uint64_t serial);

    /// Nothing without a core.
    [[nodiscard]] std::optional<core::StatusView> status();

private:
    struct File {
        bool open = false;
        core::FileOpened opened{};  ///< As it was told.
        bool in_flight = false;     ///< A cycle was ordered and is not answered.
        bool stale = false;         ///< ... by a former instance.
    };

    [[nodiscard]] bool runs() const { return arbiter_ != nullptr && !ended_; }
    void step_locked(Instant now, const core::Input& input);
    void carry_out(core::Output output);
    void tell_complete(Incarnation incarnation);

    Effects& effects_;
    PriorityMutex mutex_;  ///< Guards all below.
    CoreTime time_;
    std::unique_ptr<core::Arbiter> arbiter_;
    bool ended_ = false;
    Instance self_;  ///< As of the newest lease update or the instance's start.
    PerFile<File> files_;
};

}  // namespace css::runtime
