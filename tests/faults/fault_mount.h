#pragma once

#include <string>

#include "tests/e2e/harness/process.h"

namespace css::e2e {

/// One node's path to disks that lie in a folder, by way of css_fault_fs, which see. The mount is
/// visible to this process and its children alone, and goes with the last of them. Main thread
/// only.
class FaultMount {
public:
    /// Makes `directory` (its parent is there) and mounts the files of `backing` in it. Aborts
    /// where FUSE does not work.
    FaultMount(const std::string& backing, std::string directory);
    ~FaultMount();
    FaultMount(const FaultMount&) = delete;
    FaultMount& operator=(const FaultMount&) = delete;

    /// What is in force from now on: `hang`, `delay`, `error`, `drop`, `tear`, `clear`.
    void fault(const std::string& verb, const std::string& file, unsigned amount = 0) const;

private:
    std::string directory_;
    std::string socket_;
    Child server_;
};

}  // namespace css::e2e
