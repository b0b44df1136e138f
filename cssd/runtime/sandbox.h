#pragma once

#include <string>
#include <vector>

#include "cssd/config/config.h"

namespace css::runtime {

struct GivenUp {
    std::string what;                  ///< One line for the trace.
    std::vector<std::string> refused;  ///< Lines for the alert log; the daemon goes on without.
};

/// Gives up for good, for the calling thread and all that it starts later, what the daemon never
/// needs once it has bound its sockets, started its guardians and locked its memory: most
/// capabilities, all that a program could bring it, and dangerous system calls. A thread that
/// exists already is not touched: the one that starts fence commands is made before.
///
/// Nothing here may stop a node. What the system refuses to take is told; a refused system call
/// fails with EPERM, it kills nobody; one that nobody thought of is let through, and the kernel
/// logs it (unless `sandbox` is `strict`: then it fails with ENOSYS).
GivenUp give_up_privileges(config::Sandbox sandbox);

}  // namespace css::runtime
