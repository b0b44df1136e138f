#pragma once

#include "cssd/base/result.h"
#include "cssd/base/types.h"

namespace css::runtime {

/// Which host this is and which life of it (PROTOCOL 8).
struct HostIdentity {
    HostId host;  ///< Hash of /etc/machine-id and, where readable, the product UUID.
    BootId boot;  ///< Hash of the kernel's boot id.
};

/// Errors: kSystem, no machine id or no boot id.
Result<HostIdentity> host_identity();

}  // namespace css::runtime
