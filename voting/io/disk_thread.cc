#include "voting/io/disk_thread.h"

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <poll.h>
#include <signal.h>

#include "voting/format/header.h"
#include "voting/io/boot_clock.h"
#include "voting/io/mailbox.h"
#include "voting/io/session.h"
#include "voting/io/system_error.h"

namespace css::voting {
namespace {

/// Locked memory counts stacks whole. Enough for a step of the core in a callback; sanitizers need
/// several times as much for the same.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStackSize = 2U << 20U;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::size_t kStackSize = 2U << 20U;
#else
constexpr std::size_t kStackSize = 256U << 10U;
#endif
#else
constexpr std::size_t kStackSize = 256U << 10U;
#endif

constexpr std::size_t kThreadNameMax = 15;

LateIo late_io(const IoEvent& event) {
    return LateIo{.operation = event.operation, .begun = event.begun};
}

/// Signals are for the main thread; one taken here could only interrupt a wait.
sigset_t signals_blocked_here() {
    sigset_t set;
    sigfillset(&set);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
        sigdelset(&set, fault);
    }
    return set;
}

}  // namespace

class DiskThread::Body {
public:
    Body(DiskThreadOptions options, Fd event)
        : options_(std::move(options)), mailbox_(std::move(event)) {}

    [[nodiscard]] Mailbox& mailbox() { return mailbox_; }
    [[nodiscard]] const DiskThreadOptions& options() const { return options_; }

    /// The thread.
    void main();

    /// The stopping side: waits for the end of main(), then shuts the callbacks out.
    StopOutcome wait_for_end(std::chrono::milliseconds wait, bool& thread_ended);

private:
    Result<std::unique_ptr<Session>> open();
    /// Serves the open file until it must be closed; the reason, or nothing when stopping.
    std::optional<Error> serve(Session& session);
    std::optional<Error> try_slot(Session& session);
    std::optional<Error> cycle(Session& session, core::CycleOrder order);
    [[nodiscard]] std::optional<HeaderRegion> region_ordered(const core::CycleOrder& order);
    void answer(const core::CycleFinished& finished);
    void answer_failed(const core::CycleOrder& order);
    void answer_while_closed();
    void sleep_closed();
    void tell_cannot_open(const Error& reason);
    void tell_failure(const std::optional<Error>& failure);

    [[nodiscard]] bool stopping() { return mailbox_.stop_at().has_value(); }

    /// Calls back unless stop() has returned. `member` is one of DiskCallbacks.
    template <class Member, class... Args>
    void call(Member member, const Args&... args) {
        const std::lock_guard lock{callbacks_mutex_};
        if (callbacks_allowed_ && options_.callbacks.*member) {
            (options_.callbacks.*member)(args...);
        }
    }

    DiskThreadOptions options_;  ///< The callbacks under callbacks_mutex_.
    Mailbox mailbox_;

    // Of the thread alone.
    std::string told_cannot_open_;
    std::string told_failure_;
    FileIndex index_;                    ///< As on_opened told it.
    std::optional<SlotOwnership> slot_;  ///< Of the present opening, as told.
    Instant next_lock_try_ = kNever;

    std::mutex callbacks_mutex_;  ///< Held during a callback.
    bool callbacks_allowed_ = true;

    std::mutex end_mutex_;
    std::condition_variable end_;
    bool ended_ = false;
    bool left_in_flight_ = false;  ///< The last opening ended with I/O in flight.
};

// ------------------------------------------------------------------------------------ the thread

void DiskThread::Body::main() {
    while (!stopping()) {
        Result<std::unique_ptr<Session>> session = open();
        if (!session) {
            tell_cannot_open(session.error());
            sleep_closed();
            continue;
        }
        told_cannot_open_.clear();
        const std::optional<Error> reason = serve(**session);
        session->reset();
        if (reason) {
            call(&DiskCallbacks::on_closed, *reason);
            sleep_closed();
        }
    }
    const std::lock_guard lock{end_mutex_};
    ended_ = true;
    end_.notify_all();
}

Result<std::unique_ptr<Session>> DiskThread::Body::open() {
    slot_.reset();
    next_lock_try_ = kNever;
    Result<std::unique_ptr<Session>> session =
        Session::open(SessionOptions{.path = options_.path,
                                     .cluster_name = options_.cluster_name,
                                     .self = options_.self,
                                     .slots_max = options_.slots_max,
                                     .late_after = options_.late_after,
                                     .on_late =
                                         [this](const IoEvent& event) {
                                             call(event.kind == IoEvent::Kind::kLate
                                                      ? &DiskCallbacks::on_late
                                                      : &DiskCallbacks::on_late_ended,
                                                  late_io(event));
                                         },
                                     .on_abandoned =
                                         [this] {
                                             const std::lock_guard lock{end_mutex_};
                                             left_in_flight_ = true;
                                         }},
                      mailbox_);
    if (!session) {
        return session;
    }
    (void)mailbox_.take_reopen();  // They were about an earlier opening.
    (void)mailbox_.take_hints();
    std::optional<Error> refused;
    {
        const std::lock_guard lock{callbacks_mutex_};
        if (callbacks_allowed_) {
            const Result<FileIndex> accepted =
                options_.callbacks.on_opened((*session)->region(), options_.path);
            if (accepted) {
                index_ = *accepted;
            } else {
                refused = accepted.error();
            }
        }
    }
    if (refused) {
        return *refused;
    }
    return session;
}

std::optional<Error> DiskThread::Body::serve(Session& session) {
    while (!stopping()) {
        if (std::optional<Error> reason = mailbox_.take_reopen()) {
            return reason;
        }
        if (std::optional<Error> reason = try_slot(session)) {
            return reason;
        }
        if (std::optional<core::CycleOrder> order = mailbox_.take_order()) {
            if (std::optional<Error> reason = cycle(session, std::move(*order))) {
                return reason;
            }
            continue;
        }
        if (const std::optional<PathHints> hints = mailbox_.take_hints()) {
            if (const Status written = session.write_hints(*hints); !written && !stopping()) {
                call(&DiskCallbacks::on_cycle_failed, written.error());
            }
            continue;  // Waiting for it has heard the bell of what came meanwhile.
        }
        std::optional<Duration> limit;
        if (mailbox_.slot_wanted() && slot_ != SlotOwnership::kOwned) {
            limit = next_lock_try_ - boot_now();
        }
        session.sleep(limit);
    }
    return std::nullopt;
}

std::optional<Error> DiskThread::Body::try_slot(Session& session) {
    if (!mailbox_.slot_wanted() || slot_ == SlotOwnership::kOwned || boot_now() < next_lock_try_) {
        return std::nullopt;
    }
    next_lock_try_ = boot_now() + options_.retry_interval;
    const Result<LockOutcome> locked = session.lock_own_slot();
    if (!locked) {
        return locked.error();
    }
    const SlotOwnership now =
        *locked == LockOutcome::kHeld ? SlotOwnership::kOwned : SlotOwnership::kBusy;
    if (slot_ != now) {
        slot_ = now;
        call(&DiskCallbacks::on_slot, now);
    }
    return std::nullopt;
}

std::optional<Error> DiskThread::Body::cycle(Session& session, core::CycleOrder order) {
    CSS_CHECK(order.file == index_);
    if (order.own && slot_ != SlotOwnership::kOwned) {
        answer_failed(order);
        return std::nullopt;
    }
    core::CycleFinished finished{.file = order.file, .id = order.id, .slots = {}};
    const unsigned slots = order.slots;
    const std::optional<HeaderRegion> region = region_ordered(order);
    const CycleReport report = session.run(std::move(order), region);
    if (stopping()) {
        return std::nullopt;
    }
    tell_failure(report.failure);
    if (report.region_changed) {
        call(&DiskCallbacks::on_region, session.region());
    }
    finished.header_generation = report.header_generation;
    finished.outcome = report.outcome;
    finished.own_as_written = report.own_as_written;
    finished.kills_written = report.kills_written;
    if (report.outcome == core::CycleOutcome::kDone) {
        finished.slots = session.views(slots);
    }
    answer(finished);
    return report.must_close ? report.failure : std::nullopt;
}

std::optional<HeaderRegion> DiskThread::Body::region_ordered(const core::CycleOrder& order) {
    const std::lock_guard lock{callbacks_mutex_};
    if (!order.header || !callbacks_allowed_ || !options_.callbacks.on_header_ordered) {
        return std::nullopt;
    }
    return options_.callbacks.on_header_ordered(*order.header);
}

void DiskThread::Body::answer(const core::CycleFinished& finished) {
    mailbox_.order_is_answered();
    call(&DiskCallbacks::on_cycle, finished);
}

void DiskThread::Body::answer_failed(const core::CycleOrder& order) {
    answer(core::CycleFinished{.file = order.file,
                               .id = order.id,
                               .outcome = order.own || !order.kills.empty()
                                              ? core::CycleOutcome::kWriteFailed
                                              : core::CycleOutcome::kReadFailed,
                               .slots = {}});
}

/// The order that crossed with on_closed. Whoever has heard of the closing gives no further one.
void DiskThread::Body::answer_while_closed() {
    if (const std::optional<core::CycleOrder> order = mailbox_.take_order()) {
        answer_failed(*order);
    }
}

/// The pause before the file is tried again. No ring is open, so the bell is waited for here.
void DiskThread::Body::sleep_closed() {
    const Instant until = boot_now() + options_.retry_interval;
    for (;;) {
        answer_while_closed();
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - boot_now());
        if (stopping() || left <= left.zero()) {
            return;
        }
        pollfd bell{mailbox_.event_fd(), POLLIN, 0};
        if (::poll(&bell, 1, static_cast<int>(left.count())) > 0) {
            mailbox_.clear_event();
        }
    }
}

void DiskThread::Body::tell_cannot_open(const Error& reason) {
    if (reason.message != told_cannot_open_ && !stopping()) {
        told_cannot_open_ = reason.message;
        call(&DiskCallbacks::on_cannot_open, reason);
    }
}

void DiskThread::Body::tell_failure(const std::optional<Error>& failure) {
    const std::string& message = failure ? failure->message : std::string{};
    if (message != told_failure_) {
        told_failure_ = message;
        if (failure) {
            call(&DiskCallbacks::on_cycle_failed, *failure);
        }
    }
}

// ---------------------------------------------------------------------------------- other threads

DiskThread::StopOutcome DiskThread::Body::wait_for_end(std::chrono::milliseconds wait,
                                                       bool& thread_ended) {
    StopOutcome outcome = StopOutcome::kAbandoned;
    {
        std::unique_lock lock{end_mutex_};
        thread_ended = end_.wait_for(lock, wait, [this] { return ended_; });
        if (thread_ended && !left_in_flight_) {
            outcome = StopOutcome::kEnded;
        }
    }
    const std::lock_guard lock{callbacks_mutex_};
    callbacks_allowed_ = false;
    options_.callbacks = {};  // What they captured may go, also when the thread never does.
    return outcome;
}

Result<std::unique_ptr<DiskThread>> DiskThread::start(DiskThreadOptions options) {
    CSS_CHECK(options.thread_name.size() <= kThreadNameMax);
    CSS_CHECK(options.slots_max >= options.self.value());
    CSS_CHECK(options.slots_max <= kNodesMax);
    CSS_CHECK(options.callbacks.on_opened && options.callbacks.on_cycle);
    if (Result<Ring> probe = Ring::create(IoSlots::kRingEntries); !probe) {
        return probe.error();
    }
    Result<Fd> event = Mailbox::make_event();
    if (!event) {
        return event.error();
    }
    auto body = std::make_shared<Body>(std::move(options), std::move(event).value());

    pthread_attr_t attributes;
    CSS_CHECK(::pthread_attr_init(&attributes) == 0);
    CSS_CHECK(::pthread_attr_setstacksize(&attributes, kStackSize) == 0);
    const sigset_t blocked = signals_blocked_here();
    CSS_CHECK(::pthread_attr_setsigmask_np(&attributes, &blocked) == 0);
    auto* handed_over = new std::shared_ptr<Body>{body};
    pthread_t thread{};
    const int made = ::pthread_create(&thread, &attributes, &DiskThread::enter, handed_over);
    (void)::pthread_attr_destroy(&attributes);
    if (made != 0) {
        delete handed_over;
        return system_error("cannot make the thread " + body->options().thread_name, made);
    }
    return std::unique_ptr<DiskThread>{new DiskThread{std::move(body), thread}};
}

void* DiskThread::enter(void* argument) {
    auto* handed_over = static_cast<std::shared_ptr<Body>*>(argument);
    const std::shared_ptr<Body> body = std::move(*handed_over);
    delete handed_over;
    (void)::pthread_setname_np(::pthread_self(), body->options().thread_name.c_str());
    body->main();
    return nullptr;
}

DiskThread::DiskThread(std::shared_ptr<Body> body, pthread_t thread)
    : body_(std::move(body)), thread_(thread) {}

DiskThread::~DiskThread() {
    (void)stop();
}

void DiskThread::order(core::CycleOrder order) {
    body_->mailbox().post_order(std::move(order));
}

void DiskThread::acquire_slot() {
    body_->mailbox().post_slot_wanted();
}

void DiskThread::write_hints(PathHints hints) {
    body_->mailbox().post_hints(std::move(hints));
}

void DiskThread::reopen(Error reason) {
    body_->mailbox().post_reopen(std::move(reason));
}

DiskThread::StopOutcome DiskThread::stop(std::chrono::milliseconds wait) {
    if (stopped_) {
        return *stopped_;
    }
    body_->mailbox().post_stop(boot_now() + wait / 2);
    bool thread_ended = false;
    stopped_ = body_->wait_for_end(wait, thread_ended);
    if (thread_ended) {
        CSS_CHECK(::pthread_join(thread_, nullptr) == 0);
    } else {
        CSS_CHECK(::pthread_detach(thread_) == 0);
    }
    return *stopped_;
}

}  // namespace css::voting
