#pragma once

#include <cstdint>

#include <sys/types.h>

#include "cssd/base/result.h"

/// What the daemon must know of a cgroup that a program hands over as a client to be killed. A
/// cgroup is named by a descriptor of its directory; descriptors from other processes are never
/// trusted to be one before is_cgroup() was asked.
namespace css::client {

enum class CgroupKind : std::uint8_t {
    kV2,         ///< Has cgroup.events and, from Linux 5.14 on, cgroup.kill.
    kV1Freezer,  ///< Has freezer.state; killed frozen, process by process.
};

/// Who hands the cgroup over, as the kernel vouches for it.
struct CgroupOwner {
    pid_t pid = 0;
    uid_t uid = 0;
};

/// Whether this descriptor may be a client: a cgroup (v2, or v1 with the freezer), not the root of
/// its hierarchy, without this process in it or below it, and the sender is root or owns its
/// cgroup.procs. Does not call into file systems that a program can make hang.
/// Errors: kInvalid (what is wrong), kNotPermitted (not the owner).
Result<CgroupKind> inspect_cgroup(int directory, const CgroupOwner& sender);

/// True while a process is in it or in a cgroup below it; also when that cannot be read. A cgroup
/// that was removed is empty. Only for what inspect_cgroup() accepted.
bool is_populated(int directory, CgroupKind kind);

/// SIGKILL to every process in it and below it, and to what they fork meanwhile. Does not wait for
/// their end: is_populated() tells.
void kill_cgroup(int directory, CgroupKind kind);

/// Sends a signal to every process in it and below it, as far as they can be read. No way to end
/// them all: they fork meanwhile. Enough to ask them to end.
void signal_processes(int directory, int signal);

}  // namespace css::client
