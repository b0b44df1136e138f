#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cssd/client/lease_page.h"

// In a file of its own: all that a guardian needs of the page.
namespace css::client {

void wake_lease_waiters(LeasePage& page) {
    page.changes.fetch_add(1, std::memory_order_release);
    // The futex is the plain word behind the atomic; they have the same size and address.
    syscall(SYS_futex, static_cast<void*>(&page.changes), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void revoke_lease_page(LeasePage& page) {
    if (page.revoked.exchange(1, std::memory_order_acq_rel) == 0) {
        wake_lease_waiters(page);
    }
}

}  // namespace css::client
