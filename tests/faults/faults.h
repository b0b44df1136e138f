#pragma once

#include <functional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/harness/lab.h"

/// What a fault campaign does to a cluster.
namespace css::faults {

using e2e::Lab;
using e2e::Members;
using e2e::milliseconds;

/// One's own order of chances: the same on every machine, as the standard's distributions are not.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : engine_(seed) {}
    /// From least to most, both included.
    unsigned between(unsigned least, unsigned most) {
        return least + static_cast<unsigned>(engine_() % (most - least + 1));
    }
    bool percent(unsigned chance) { return between(1, 100) <= chance; }
    template <class Container>
    const auto& one_of(const Container& all) {
        return all[between(0, static_cast<unsigned>(all.size()) - 1)];
    }

private:
    std::mt19937_64 engine_;
};

/// Something goes wrong for a while. What it leaves behind (cuts, disks, stopped processes, dead
/// daemons) the campaign puts right after the episode.
struct Fault {
    std::string_view kind;
    std::string words;  ///< `node2 for 1500 ms`
    milliseconds length{0};
    std::function<void(Lab&)> begin;
    std::function<void(Lab&)> end = [](Lab&) {};
    std::function<void()> wait = [] {};  ///< When all have ended: for what was only begun.
    /// When all have ended: what an administrator does then, tried until nothing is said against
    /// it.
    std::function<std::string(Lab&)> repair = [](Lab&) { return std::string{}; };
    /// Who may be dropped because of it, if it is the only one.
    Members may_go;
    /// Of those, so many at most.
    unsigned go_most = 64;
    bool all_go = false;      ///< Exactly those who may, if it is the only one.
    bool slow_begin = false;  ///< begin() takes its time: those of other faults come after it.
    bool loses_file = false;  ///< What stands in a voting file.
    bool shared = false;      ///< Not of one node alone: beside another fault, anybody may go.
};

/// The voting files of the cluster, by their numbers in the lab, and one that is none of them now.
struct FileSet {
    std::vector<unsigned> members;
    unsigned spare = 0;
    std::set<unsigned> anew;  ///< Those that were given by their sound path.
};

/// A fault of any kind, of any length and target. The set of files outlives it, and changes with
/// its repair.
[[nodiscard]] Fault draw_fault(Chance& chance, const Lab& lab, FileSet& set);

/// Kinds that this machine cannot do, with what is missing.
[[nodiscard]] std::vector<std::string> left_out();

}  // namespace css::faults
