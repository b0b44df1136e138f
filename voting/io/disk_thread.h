#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <pthread.h>

#include "cssd/base/result.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/core/io.h"
#include "voting/format/path_hints.h"
#include "voting/io/io_slots.h"

namespace css::voting {

struct HeaderRegion;

/// An I/O that passed its deadline. It stays in flight, and its buffer the kernel's, until the
/// device answers.
struct LateIo {
    DiskOperation operation = DiskOperation::kReadHeader;
    Instant begun;  ///< Before it was submitted.
};

enum class SlotOwnership : std::uint8_t {
    kOwned,  ///< Nobody on this host has I/O in flight on the own slot of this file.
    kBusy,   ///< A former or another daemon of this host still has; tried again every interval.
};

/// All callbacks run on the file's thread, one at a time, and none after stop() has returned. They
/// may call every member function except stop() and start(). They must not block: the file's next
/// cycle waits for them.
struct DiskCallbacks {
    /// The file was opened and its header is valid and names the expected cluster. The answer is
    /// its index in the file table, or why it cannot be used now (it is closed, and tried again
    /// after an interval). A reopened file comes here again.
    std::function<Result<FileIndex>(const HeaderRegion& region, const std::string& path)> on_opened;
    /// A cycle has read another header or other hints than were told last; the file stays open. Not
    /// needed.
    std::function<void(const HeaderRegion& region)> on_region;
    /// What the header of an order makes of this file: its table with whole FUIDs. Nothing: this
    /// node does not know them all, and the header is not written. Not needed.
    std::function<std::optional<HeaderRegion>(const core::HeaderOrder&)> on_header_ordered;
    /// After a file that on_opened accepted: it is closed now and will be tried again. The order
    /// that was carried out last has been answered; one given since then is answered right after
    /// this.
    std::function<void(const Error& reason)> on_closed;
    /// Opening failed, or on_opened refused. Told once per change of the message.
    std::function<void(const Error& reason)> on_cannot_open;
    /// After acquire_slot(): once per open file and change.
    std::function<void(SlotOwnership)> on_slot;
    /// The answer to order(); the slots live until it returns. The next order may be given in it.
    std::function<void(const core::CycleFinished&)> on_cycle;
    /// A cycle failed; why. Told when the message differs from the one told last, and again after a
    /// cycle that went well.
    std::function<void(const Error&)> on_cycle_failed;
    /// An I/O passed its deadline; once per I/O. A hint for people: no rule reads it.
    std::function<void(const LateIo&)> on_late;
    /// A late I/O ended. Its cycle goes on as any other: what counts is when the cycle began.
    std::function<void(const LateIo&)> on_late_ended;
};

struct DiskThreadOptions {
    std::string path;
    std::string thread_name;  ///< At most 15 characters, as in 'diskping 1'.
    NodeNumber self;
    std::string cluster_name;                           ///< A file of another cluster is not used.
    unsigned slots_max = kNodesMax;                     ///< No order asks for more slots than this.
    Duration retry_interval = std::chrono::seconds{1};  ///< Between attempts to open or lock.
    Duration late_after = std::chrono::seconds{1};      ///< I/O older than this is told as late.
    DiskCallbacks callbacks;
};

/// The disk ping of one voting file: one thread, one ring, one open file (PROTOCOL 4). It opens the
/// file, keeps trying while it cannot, and carries out one cycle order at a time. A hung file hangs
/// this thread and nothing else: no member function but stop() ever waits for it.
///
/// Own H and B are written only while the slot lock is held: an order with own sectors on a file
/// whose slot is not owned is answered kWriteFailed, nothing written.
class DiskThread {
public:
    /// An error says in plain words that, and why, io_uring is refused on this host, or that no
    /// thread can be made. The file is opened by the thread, later.
    static Result<std::unique_ptr<DiskThread>> start(DiskThreadOptions options);

    DiskThread(const DiskThread&) = delete;
    DiskThread& operator=(const DiskThread&) = delete;
    /// As stop() with the default wait.
    ~DiskThread();

    /// Any thread. Carries out one cycle; on_cycle answers each order exactly once, unless stop()
    /// comes first. At most one order is outstanding; a second one is the caller's error. An order
    /// that meets a closed file is answered as failed.
    void order(core::CycleOrder order);

    /// Any thread. From now on, on this opening and later ones: try to take the own slot's lock,
    /// and try again every interval until it is held.
    void acquire_slot();

    /// Any thread. Written when the file is open and no cycle runs; forgotten when it is closed.
    void write_hints(PathHints hints);
    /// Any thread. Closes the file as soon as nothing is in flight and starts over with opening it:
    /// `reason` comes back in on_closed. Without an open file nothing happens.
    void reopen(Error reason);

    enum class StopOutcome : std::uint8_t {
        kEnded,      ///< The thread has ended, the file is closed, its locks are gone.
        kAbandoned,  ///< The file hangs: what is in flight may still land. Its buffers, perhaps the
                     ///< thread, stay behind for the life of the process, the locks until it
                     ///< landed.
    };
    /// One thread, not from a callback, nor holding anything that a callback waits for. An I/O in
    /// flight gets half of `wait` to end. Takes no longer than `wait` whatever the file does, and
    /// no time when called again. No callback runs after it has returned.
    StopOutcome stop(std::chrono::milliseconds wait = std::chrono::milliseconds{500});

private:
    class Body;  ///< Everything the thread uses; shared with it, for it may outlive this object.
    DiskThread(std::shared_ptr<Body> body, pthread_t thread);
    static void* enter(void* argument);

    std::shared_ptr<Body> body_;
    pthread_t thread_;
    std::optional<StopOutcome> stopped_;
};

}  // namespace css::voting
