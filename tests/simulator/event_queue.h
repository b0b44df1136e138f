#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cssd/base/check.h"

namespace css::sim {

/// True (not any host's) time in nanoseconds since the start of the run.
using SimTime = std::int64_t;
inline constexpr SimTime kLongAgo = -(SimTime{1} << 60);

enum class EventKind : std::uint8_t {
    // For the daemon of a machine; dropped when that daemon is no more.
    kWake,
    kDatagram,
    kIoRead,  ///< The read of a cycle takes its snapshot.
    kIoDone,
    kLeaseAck,
    kFileOpen,
    kFileClose,
    kClientsGone,  ///< The daemon hears that its clients are gone.
    kFenceResult,
    kRequest,
    kResume,  ///< End of a pause of the daemon alone.
    // For the machine; dropped when it has crashed since.
    kLease,  ///< A lease reaches guardians and page.
    kGuardianTimer,
    kClientsDie,
    kDrained,
    kThaw,  ///< End of a pause of the whole host.
    kStartDaemon,
    // The world's.
    kIoLand,        ///< Own sectors and kill blocks of a cycle reach the file.
    kIoLandBallot,  ///< The second half, when the request was split.
    kWriterDies,    ///< Daemon or host, while its write is under way.
    kHostDies,
    kBoot,
    kFault,
    kAmbush,     ///< A fault that a moment of the protocol has set off.
    kFaultTick,  ///< A step of a fault that goes on (flapping, join storm).
    kPhase,
};

struct Event {
    SimTime time = 0;
    std::uint64_t order = 0;  ///< Insertion number: decides between events of one time.
    EventKind kind = EventKind::kPhase;
    std::uint8_t file = 0;
    std::uint16_t machine = 0;
    std::uint32_t life = 0;
    std::uint32_t argument = 0;
};

/// A heap of events, four children a node: pops dominate, and the next four share a cache line or
/// two. Total order (time, order): the run does not depend on the heap's shape.
class EventQueue {
public:
    EventQueue() { heap_.reserve(4096); }

    void push(Event event) {
        event.order = ++inserted_;
        push_in_order(event);
    }
    /// Order numbers for `count` events that are pushed later, one when the other is due: a short
    /// heap is a fast one. The first of them.
    std::uint64_t reserve(std::uint64_t count) {
        const std::uint64_t first = inserted_ + 1;
        inserted_ += count;
        return first;
    }
    /// With an order number of reserve().
    void push_in_order(const Event& event) {
        heap_.push_back(event);
        sift_up(heap_.size() - 1);
    }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] const Event& top() const { return heap_.front(); }
    Event pop() {
        CSS_CHECK(!heap_.empty());
        const Event first = heap_.front();
        const Event last = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) {
            sift_down(last);
        }
        return first;
    }

private:
    static constexpr std::size_t kChildren = 4;
    static bool before(const Event& a, const Event& b) {
        return a.time != b.time ? a.time < b.time : a.order < b.order;
    }
    void sift_up(std::size_t at) {
        const Event moving = heap_[at];
        while (at > 0) {
            const std::size_t parent = (at - 1) / kChildren;
            if (!before(moving, heap_[parent])) {
                break;
            }
            heap_[at] = heap_[parent];
            at = parent;
        }
        heap_[at] = moving;
    }
    void sift_down(const Event& moving) {
        std::size_t at = 0;
        const std::size_t size = heap_.size();
        for (;;) {
            const std::size_t first = at * kChildren + 1;
            if (first >= size) {
                break;
            }
            std::size_t least = first;
            const std::size_t end = std::min(first + kChildren, size);
            for (std::size_t child = first + 1; child < end; ++child) {
                if (before(heap_[child], heap_[least])) {
                    least = child;
                }
            }
            if (!before(heap_[least], moving)) {
                break;
            }
            heap_[at] = heap_[least];
            at = least;
        }
        heap_[at] = moving;
    }

    std::vector<Event> heap_;
    std::uint64_t inserted_ = 0;
};

}  // namespace css::sim
