#pragma once

#include <span>
#include <string>

#include "cssd/base/result.h"
#include "voting/offline/inspect.h"
#include "voting/offline/voting_device.h"

/// Whether somebody uses a voting file. Two looks, because each sees what the other cannot: locks
/// are known to this host only, and a daemon of another host shows itself only by its heartbeats.
namespace css::voting {

/// Takes a write lock on the whole file, which a daemon's locks on header and slot refuse. Held
/// until the device is closed. The error says who holds it, then `advice`.
Status lock_whole(const VotingDevice& device, const std::string& advice);

/// Watches files that hold something (`found[i]` is of `devices[i]`) for two intervals of the
/// slowest cluster: refused when a byte changes.
Status check_still(std::span<const VotingDevice> devices, std::span<const Inspected> found);

}  // namespace css::voting
