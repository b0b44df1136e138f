#include "voting/io/slot_lock.h"

#include <cerrno>

#include <fcntl.h>

#include "voting/io/system_error.h"

namespace css::voting {

Result<LockOutcome> lock_range(int fd, ByteRange range, LockKind kind) {
    CSS_CHECK(range.length > 0);  // Zero would mean 'to the end of the file'.
    struct flock lock {};
    switch (kind) {
        case LockKind::kShared: lock.l_type = F_RDLCK; break;
        case LockKind::kExclusive: lock.l_type = F_WRLCK; break;
    }
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(range.begin);
    lock.l_len = static_cast<off_t>(range.length);
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        return LockOutcome::kHeld;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return LockOutcome::kBusy;
    }
    return system_error("locking a byte range", errno);
}

}  // namespace css::voting
