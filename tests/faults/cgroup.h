#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

/// Control groups, for what they can do to the processes of a node.
namespace css::faults {

/// A group of its own in one hierarchy: `unified` (version 2) or a controller of version 1. With
/// this object it goes, and its processes go back to where they came from. Main thread only.
class Cgroup {
public:
    /// Whether this machine has the hierarchy, and lets us make groups in it.
    static bool possible(const std::string& hierarchy);

    Cgroup(const std::string& hierarchy, const std::string& name);
    ~Cgroup();
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    Cgroup(Cgroup&&) = delete;
    Cgroup& operator=(Cgroup&&) = delete;

    /// One that has just ended is no error.
    void add(pid_t pid) const;
    [[nodiscard]] std::vector<pid_t> processes() const;
    /// Aborts where the kernel does not take the text.
    void set(const std::string& file, const std::string& text) const;
    [[nodiscard]] const std::string& directory() const { return directory_; }

private:
    std::string directory_;
};

}  // namespace css::faults
