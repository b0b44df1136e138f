#pragma once

#include <optional>

#include "cssd/core/io.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// R_0 as a daemon takes it from the headers that it found.
[[nodiscard]] Record genesis_of(const core::HeaderOrder& header, const Options& options);

/// Which voting files there are and which of them a daemon has open: what shells and administrators
/// do about sets of voting files (PROTOCOL 7).
///
/// A file that was offered to a cluster and that no record has named yet stays as it is for the
/// rest of the run: a ballot may name it that nobody remembers.
class FileSets {
public:
    FileSets(World& world, Disks& disks);

    /// As formatted.
    [[nodiscard]] const core::HeaderOrder& first() const { return first_; }
    /// The newest header that a daemon can read which starts on this machine now, if it reaches a
    /// majority of the files named there.
    [[nodiscard]] std::optional<core::HeaderOrder> found_by(const Machine& machine) const;

    void on_file_open(Machine& machine, const Event& event);
    void on_file_close(Machine& machine, const Event& event);
    /// The daemon has learned that the sets have changed.
    void on_change(Machine& machine, const core::Notice& notice);
    /// An administrator on this machine wants another set; new files are formatted, and opened by
    /// all daemons sooner or later, or not by one of them.
    [[nodiscard]] std::optional<core::ChangeVotingFiles> draw_change(const Machine& machine,
                                                                     Prng& prng);

private:
    [[nodiscard]] FileSet named() const;
    [[nodiscard]] FileSet places_free() const;
    void offer(FileIndex file, Prng& prng);
    [[nodiscard]] FileSet draw_set(Prng& prng) const;

    World& world_;
    core::HeaderOrder first_;
    FileSet offered_;  ///< Formatted for a set, named by no record yet.
    unsigned version_ = 0;
};

}  // namespace css::sim
