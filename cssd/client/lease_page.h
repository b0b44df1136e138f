#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>

/// The page through which a daemon tells its clients until when they may act: one page of shared
/// memory (a sealed memfd), written by the daemon, mapped read-only by clients.
///
/// A page belongs to one daemon process. It is never handed on: a restarted daemon makes another,
/// so an old page can only run out. Whoever fences sets `revoked` first; nothing clears it.
///
/// Words, all native order (one machine), in this order; `sequence` is odd while the writer is in
/// the middle of a change:
///   magic | version | sequence | changes | revoked | may_act | end | token | instance
/// `changes` counts changes of may_act and revoked; waiters sleep on it (futex).
namespace css::client {

inline constexpr std::uint32_t kLeasePageMagic = 0x50535343;  // "CSSP"
inline constexpr std::uint32_t kLeasePageVersion = 1;
inline constexpr std::size_t kLeasePageSize = 4096;

struct LeasePage {
    std::atomic<std::uint32_t> magic;
    std::atomic<std::uint32_t> version;
    std::atomic<std::uint32_t> sequence;
    std::atomic<std::uint32_t> changes;
    std::atomic<std::uint32_t> revoked;   ///< Not 0: never again. Also written by guardians.
    std::atomic<std::uint32_t> may_act;   ///< 0 or 1.
    std::atomic<std::int64_t> end;        ///< CLOCK_BOOTTIME, ns. May act only before it.
    std::atomic<std::uint64_t> token;     ///< Incarnation of the newest complete record.
    std::atomic<std::uint64_t> instance;  ///< node << 32 | unique.
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(LeasePage) == 48);
static_assert(offsetof(LeasePage, changes) == 12);
static_assert(offsetof(LeasePage, end) == 24);

/// What the page said at one moment.
struct LeaseView {
    bool may_act = false;
    std::int64_t end = 0;
    std::uint64_t token = 0;
    std::uint64_t instance = 0;
};

inline std::int64_t boottime_now() {
    timespec t{};
    if (clock_gettime(CLOCK_BOOTTIME, &t) != 0) {
        return INT64_MAX;  // No clock: every lease has ended.
    }
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// One consistent view. Gives the empty view (may not act) when revoked, or when a writer was
/// found in the middle of a change too often: it is frozen or dead there. Any thread, no lock.
inline LeaseView read_lease(const LeasePage& page) {
    constexpr int kTries = 1000;  // A change takes nanoseconds; 1000 looks take microseconds.
    for (int i = 0; i < kTries; ++i) {
        const std::uint32_t before = page.sequence.load(std::memory_order_acquire);
        const LeaseView view{page.may_act.load(std::memory_order_acquire) == 1,
                             page.end.load(std::memory_order_acquire),
                             page.token.load(std::memory_order_acquire),
                             page.instance.load(std::memory_order_acquire)};
        const bool revoked = page.revoked.load(std::memory_order_acquire) != 0;
        const std::uint32_t after = page.sequence.load(std::memory_order_relaxed);
        if (revoked) {
            return {};
        }
        if (before == after && before % 2 == 0) {
            return view;
        }
    }
    return {};
}

/// Sets `revoked` and wakes the waiters: for whoever fences, in another process.
void revoke_lease_page(LeasePage& page);
/// Ends the sleep of everybody in css_wait_active; they look again.
void wake_lease_waiters(LeasePage& page);

}  // namespace css::client
