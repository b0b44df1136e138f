#pragma once

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "tests/faults/fault_mount.h"
#include "tests/voting_io/disks.h"

/// Voting files of the tests: places for `votefile create`, and what can go wrong with them.
namespace css::e2e {

enum class DiskKind {
    kLoop,       ///< Loop devices with direct I/O over files in memory, one for each node and file.
    kPlain,      ///< Plain files on the machine's disk.
    kFreezable,  ///< Loop devices over file systems that can be frozen: every write hangs.
    kFaulty,     ///< Files behind css_fault_fs, each node's way to each of them of its own.
};

enum class Access { kReadWrite, kReadOnly };

/// Each node's paths to the disks that all share. Main thread only.
class VotingDisks {
public:
    struct Options {
        DiskKind kind = DiskKind::kLoop;
        unsigned nodes = 1;
        unsigned files = 1;
        unsigned sector_size = 512;
    };
    /// Plain files and the loop devices' backing files are made in the directory.
    VotingDisks(const Options& options, const std::string& directory);
    ~VotingDisks();
    VotingDisks(const VotingDisks&) = delete;
    VotingDisks& operator=(const VotingDisks&) = delete;
    VotingDisks(VotingDisks&&) = delete;
    VotingDisks& operator=(VotingDisks&&) = delete;

    /// [f - 1] is the node's path to file f.
    [[nodiscard]] const std::vector<std::string>& paths(unsigned node) const;

    /// Writes of every node no longer come back until thaw(). kFreezable only.
    void freeze(unsigned file);
    void thaw(unsigned file);
    /// Read-only: the device refuses every write of this node. kLoop only.
    void set_access(unsigned node, unsigned file, Access access);
    /// What goes wrong for this node from now on: a verb of css_fault_fs. kFaulty only.
    void fault(unsigned node, unsigned file, const std::string& verb, unsigned amount = 0);
    /// Of every node and file. kFaulty only.
    void clear_faults();
    /// Zeros stand all over the file. kFaulty only.
    void wipe(unsigned file);
    /// It has lost all but its first sectors. kFaulty only.
    void truncate(unsigned file);
    /// A path to the file that no fault concerns: where the cluster may find it if it has none of
    /// its own. kFaulty only.
    [[nodiscard]] std::string sound_path(unsigned file) const;

private:
    void add_for_all(const std::string& path);
    void add_freezable();
    void add_loops(const std::string& file);
    void add_faulty();

    Options options_;
    std::string backing_;  ///< Of kFaulty: where the files are, in memory.
    std::list<test::TemporaryDirectory> directories_;  // Before what lies in them.
    std::list<test::FreezableDisk> freezable_;
    std::list<test::LoopDevice> loops_;
    std::list<FaultMount> mounts_;  ///< One a node, then the sound one.
    std::string sound_;
    std::vector<std::vector<std::string>> paths_;  ///< [node - 1][file - 1].
};

}  // namespace css::e2e
