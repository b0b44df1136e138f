#pragma once

#include <cstdint>

#include "cssd/base/result.h"

namespace css::voting {

/// Locks of an open file description (fcntl F_OFD_SETLK, never waiting) on byte ranges of a voting
/// file. They guard against other processes of this host only.
///
/// The kernel drops such a lock with the last reference to the open file, and every request in
/// flight on an io_uring holds one: a process may be gone while its hung write still holds the
/// lock. So whoever gets the lock of a slot knows that all I/O of the slot's former owner on this
/// host has ended on this file (PROTOCOL 8). Tests: tests/voting_io/slot_lock_test.cc.
///
/// Never open and close the same file a second time in the hope of releasing these; they are not
/// POSIX locks and do not go with another descriptor.
struct ByteRange {
    std::uint64_t begin = 0;
    std::uint64_t length = 0;
};

enum class LockKind : std::uint8_t {
    kShared,     ///< Header: 'in use'. Formatting takes it exclusively, so it refuses a live file.
    kExclusive,  ///< Own slot, from H to K.
};

enum class LockOutcome : std::uint8_t {
    kHeld,
    kBusy,  ///< Another open file of this host holds a conflicting lock.
};

/// Takes the lock or says that it is busy. Asking again for a lock that is held changes nothing.
/// Errors: the file system knows no locks, or the call failed. Can hang on network file systems.
Result<LockOutcome> lock_range(int fd, ByteRange range, LockKind kind);

}  // namespace css::voting
