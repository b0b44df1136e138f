#pragma once

#include <string>

#include "cssd/base/result.h"
#include "cssd/base/unique_fd.h"

namespace css::runtime {

/// `--daemon`: the process that was called waits until the one that goes on says that it has
/// started, or why not. Before any thread, ring or lock is made.
class Detached {
public:
    /// Returns in the process that goes on. The caller's exits by itself: with 0 after started(),
    /// else with 1.
    static Result<Detached> now();
    /// Standard streams go to /dev/null from here on.
    void started();

private:
    explicit Detached(UniqueFd tell) : tell_(std::move(tell)) {}
    UniqueFd tell_;
};

}  // namespace css::runtime
