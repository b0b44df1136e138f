#pragma once

#include <optional>
#include <string>

#include "cssd/client/server/cgroup.h"

namespace css::testing {

/// A cgroup of this test, killed and removed with this object.
class TestCgroup {
public:
    /// Nothing: this host has no such hierarchy, or nobody may make cgroups in it.
    static std::optional<TestCgroup> make(client::CgroupKind kind);
    TestCgroup(TestCgroup&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
    TestCgroup& operator=(TestCgroup&&) = delete;
    TestCgroup(const TestCgroup&) = delete;
    TestCgroup& operator=(const TestCgroup&) = delete;
    ~TestCgroup();

    [[nodiscard]] const std::string& path() const { return path_; }
    /// Of the root of its hierarchy.
    [[nodiscard]] std::string root() const;
    /// Moves a process into it, or into `below`, which is made.
    void add(pid_t pid, const std::string& below = "") const;
    /// Moves it to the root of the hierarchy.
    void release(pid_t pid) const;

private:
    explicit TestCgroup(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

}  // namespace css::testing
