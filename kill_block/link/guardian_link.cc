#include "kill_block/link/guardian_link.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/shell_thread.h"
#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/process.h"
#include "kill_block/link/contact.h"
#include "kill_block/link/last_resort.h"
#include "kill_block/link/peer.h"

namespace css::guardian {
namespace {

constexpr std::size_t kGuardians = 2;
constexpr Duration kShutdownPatience = std::chrono::milliseconds{500};
constexpr std::array<Which, kGuardians> kBoth{Which::kAgent, Which::kMonitor};

Error system_error(const std::string& step) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, step + ": " + std::strerror(number)};
}

int to_milliseconds(Duration d) {
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

}  // namespace

const char* name_of(Which which) {
    switch (which) {
        case Which::kAgent: return "cssdagent";
        case Which::kMonitor: return "cssdmonitor";
    }
    return "";
}

/// What is to be told when the lock is no longer held.
using Calls = std::vector<std::function<void()>>;

class GuardianLink::Impl {
public:
    Impl(const GuardianLinkOptions& options, GuardianEvents events)
        : ack_bound_(options.ack_bound),
          watchdog_device_(options.watchdog_device),
          events_(std::move(events)),
          last_resort_(options.action, options.drain_hook) {}
    ~Impl();
    Status open(const GuardianLinkOptions& options);

    void send(const Message& lease);
    void order(const Message& request);
    void order(const Message& request, int descriptor);
    void enlist(std::uint64_t client, int descriptor, ClientForm form);
    void dismiss(std::uint64_t client);
    void shutdown();
    std::size_t clients_left() const;
    std::string warnings() const;
    bool can_reset() const;

private:
    struct Enlisting {
        unsigned awaited = 0;
        bool held = true;
    };

    void run();
    void read(std::size_t index, Calls& calls);
    void apply(std::size_t index, const Peer::News& news, Calls& calls);
    void flush_all();
    void lose(std::size_t index, const std::string& reason, Calls& calls);
    void lose_late(Instant now, Calls& calls);
    void note_enlisted(std::uint64_t client, bool held, Calls& calls);
    void note_refused(std::size_t index, const Message& refusal, Calls& calls);
    void note_acknowledged(Calls& calls);
    void note_clients_gone(Calls& calls);
    void note_watchdog(const Message& message, Calls& calls);
    void introduce(const std::array<pid_t, kGuardians>& pids);
    void resort(Calls& calls);
    [[nodiscard]] bool all_lost() const;
    [[nodiscard]] int patience(Instant now) const;
    void wake() const;

    const Duration ack_bound_;
    const std::string watchdog_device_;
    const GuardianEvents events_;
    UniqueFd epoll_;
    UniqueFd wakeup_;
    ShellThread thread_;

    mutable std::mutex mutex_;  ///< Guards all below.
    std::array<Peer, kGuardians> peers_;
    bool stopping_ = false;
    bool shutting_down_ = false;
    bool ready_ = false;
    bool gone_told_ = true;
    Instance told_instance_;
    std::uint64_t told_serial_ = 0;
    std::map<std::uint64_t, Enlisting> enlisting_;
    Calls deferred_;  ///< For the thread, from other threads.
    LastResort last_resort_;
    std::optional<Instant> fence_limit_;  ///< A fence was ordered, for:
    Instance fence_instance_;
    Instant resort_again_ = kForever;
};

Status GuardianLink::Impl::open(const GuardianLinkOptions& options) {
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    wakeup_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event wake_event{};
    wake_event.events = EPOLLIN;
    wake_event.data.u32 = kGuardians;
    if (!epoll_.is_open() || !wakeup_.is_open() || !last_resort_.open(options.reset_file) ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &wake_event) != 0 ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, last_resort_.epoll(), &wake_event) != 0) {
        return system_error("guardian link");
    }
    std::array<pid_t, kGuardians> pids{};
    for (const Which which : kBoth) {
        auto contact = reach(which, options);
        if (!contact) {
            return contact.error();
        }
        const auto index = static_cast<std::size_t>(which);
        peers_.at(index).connect(std::move(contact->socket));
        static_cast<void>(peers_.at(index).take(boottime(), contact->answer));
        pids.at(index) = static_cast<pid_t>(contact->answer.client);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u32 = static_cast<std::uint32_t>(index);
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peers_.at(index).socket(), &event) != 0) {
            return system_error("guardian link");
        }
        if (events_.on_waiting &&
            (contact->answer.has(kFlagFormerAlive) || contact->answer.count > 0)) {
            deferred_.push_back([this, which, answer = contact->answer] {
                events_.on_waiting(which, answer.has(kFlagFormerAlive), answer.count);
            });
        }
    }
    introduce(pids);
    wake();
    return thread_.start("guardian", [this] { run(); });
}

/// Each is to notice when the other ends.
void GuardianLink::Impl::introduce(const std::array<pid_t, kGuardians>& pids) {
    for (std::size_t i = 0; i < kGuardians; ++i) {
        auto other = std::make_shared<const UniqueFd>(open_pidfd(pids.at(1 - i)));
        if (other->is_open()) {
            static_cast<void>(peers_.at(i).put(Message{.kind = Kind::kPartner}, std::move(other)));
        }
    }
}

GuardianLink::Impl::~Impl() {
    if (shutting_down_) {
        for (const Peer& peer : peers_) {  // A closed socket says that it has ended.
            pollfd closed{.fd = peer.socket(), .events = 0, .revents = 0};
            static_cast<void>(poll(&closed, 1, to_milliseconds(kShutdownPatience)));
        }
    }
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake();
    thread_.join();
}

void GuardianLink::Impl::wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(!write(wakeup_.get(), &one, sizeof one));
}

/// Until when the thread may sleep. Without a debt it looks again after one bound: a debt that
/// begins meanwhile is then found before it is overdue.
int GuardianLink::Impl::patience(Instant now) const {
    Duration rest = ack_bound_;
    for (const Peer& peer : peers_) {
        if (!peer.is_lost() && peer.owes_since() < kForever) {
            rest = std::min(rest, std::max(Duration{0}, peer.owes_since() + ack_bound_ - now));
        }
    }
    rest = std::min(rest, std::max(Duration{0}, resort_again_ - now));
    return to_milliseconds(rest);
}

void GuardianLink::Impl::run() {
    int timeout = 0;
    for (;;) {
        std::array<epoll_event, kGuardians + 1> events{};
        static_cast<void>(
            epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout));
        Calls calls;
        {
            const std::lock_guard lock{mutex_};
            if (stopping_) {
                return;
            }
            std::uint64_t count = 0;
            static_cast<void>(!::read(wakeup_.get(), &count, sizeof count));
            calls.swap(deferred_);
            for (std::size_t i = 0; i < kGuardians; ++i) {
                read(i, calls);
            }
            flush_all();
            lose_late(boottime(), calls);
            resort(calls);
            timeout = patience(boottime());
        }
        for (const auto& call : calls) {
            call();
        }
    }
}

void GuardianLink::Impl::read(std::size_t index, Calls& calls) {
    Peer& peer = peers_.at(index);
    while (!peer.is_lost()) {
        Packet packet;
        const Io io = receive_packet(peer.socket(), packet);
        if (io == Io::kWouldBlock) {
            return;
        }
        if (io == Io::kClosed) {
            return lose(index, "it has ended", calls);
        }
        if (!packet.message.has_value()) {
            return lose(index, "it does not speak our language", calls);
        }
        apply(index, peer.take(boottime(), *packet.message), calls);
    }
}

void GuardianLink::Impl::apply(std::size_t index, const Peer::News& news, Calls& calls) {
    if (news.waiting.has_value() && events_.on_waiting) {
        calls.push_back([this, which = kBoth.at(index), message = *news.waiting] {
            events_.on_waiting(which, message.has(kFlagFormerAlive), message.count);
        });
    }
    if (news.welcomed && !ready_ && peers_[0].is_welcome() && peers_[1].is_welcome()) {
        ready_ = true;
        if (events_.on_ready) {
            calls.push_back(events_.on_ready);
        }
    }
    if (news.acknowledged) {
        note_acknowledged(calls);
    }
    if (news.clients_gone) {
        note_clients_gone(calls);
    }
    if (news.enlisted.has_value()) {
        note_enlisted(news.enlisted->client, news.enlisted->has(kFlagHeld), calls);
    }
    if (news.watchdog.has_value()) {
        note_watchdog(*news.watchdog, calls);
    }
    if (news.refused.has_value()) {
        note_refused(index, *news.refused, calls);
    }
}

void GuardianLink::Impl::note_watchdog(const Message& message, Calls& calls) {
    if (events_.on_watchdog) {
        const auto state = static_cast<WatchdogState>(message.reason);
        calls.push_back([this, state, text = describe(state, message.count, watchdog_device_)] {
            events_.on_watchdog(state == WatchdogState::kArmed, text);
        });
    }
}

bool GuardianLink::Impl::all_lost() const {
    return peers_[0].is_lost() && peers_[1].is_lost();
}

/// With both guardians gone nobody else is left to do it.
void GuardianLink::Impl::resort(Calls& calls) {
    last_resort_.take_ended();
    if (!all_lost() || shutting_down_ || !fence_limit_.has_value()) {
        return;
    }
    last_resort_.begin(*fence_limit_);
    resort_again_ = last_resort_.look(boottime());
    note_clients_gone(calls);
}

void GuardianLink::Impl::note_refused(std::size_t index, const Message& refusal, Calls& calls) {
    if (refusal.client != 0) {
        note_enlisted(refusal.client, false, calls);
    } else if (!shutting_down_) {
        lose(index,
             std::string{"it refused: "} + text_of(static_cast<Refusal>(refusal.reason)),
             calls);
    }
}

/// Acknowledged is what both hold: the smaller of the two serials, of one instance.
void GuardianLink::Impl::note_acknowledged(Calls& calls) {
    const Instance instance = peers_[0].acknowledged_instance();
    if (instance != peers_[1].acknowledged_instance()) {
        return;
    }
    const std::uint64_t serial =
        std::min(peers_[0].acknowledged_serial(), peers_[1].acknowledged_serial());
    if (instance == told_instance_ && serial <= told_serial_) {
        return;
    }
    told_instance_ = instance;
    told_serial_ = serial;
    if (events_.on_acknowledged) {
        calls.push_back([this, instance, serial] { events_.on_acknowledged(instance, serial); });
    }
}

void GuardianLink::Impl::note_clients_gone(Calls& calls) {
    bool some = false;
    for (const Peer& peer : peers_) {
        if (!peer.is_lost()) {
            some = true;
            if (!peer.clients_gone()) {
                return;
            }
        }
    }
    const bool gone = some || last_resort_.gone();
    if (gone && !std::exchange(gone_told_, true) && events_.on_clients_gone) {
        calls.push_back(events_.on_clients_gone);
    }
}

void GuardianLink::Impl::note_enlisted(std::uint64_t client, bool held, Calls& calls) {
    const auto found = enlisting_.find(client);
    if (found == enlisting_.end()) {
        return;
    }
    found->second.held = found->second.held && held;
    if (--found->second.awaited > 0) {
        return;
    }
    const EnlistOutcome outcome =
        found->second.held ? EnlistOutcome::kHeld : EnlistOutcome::kRefused;
    enlisting_.erase(found);
    if (outcome == EnlistOutcome::kRefused) {
        last_resort_.remove(client);
    }
    if (events_.on_client) {
        calls.push_back([this, client, outcome] { events_.on_client(client, outcome); });
    }
}

void GuardianLink::Impl::lose(std::size_t index, const std::string& reason, Calls& calls) {
    Peer& peer = peers_.at(index);
    if (peer.is_lost()) {
        return;
    }
    if (!shutting_down_) {
        peer.close();
    } else {
        // The destructor still looks at the socket.
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, peer.socket(), nullptr);
        return;
    }
    std::vector<std::uint64_t> waiting;
    for (const auto& [client, state] : enlisting_) {
        waiting.push_back(client);
    }
    for (const std::uint64_t client : waiting) {
        enlisting_.at(client).awaited = 1;  // The other's answer changes nothing any more.
        note_enlisted(client, false, calls);
    }
    if (events_.on_lost) {
        calls.push_back(
            [this, which = kBoth.at(index), reason] { events_.on_lost(which, reason); });
    }
    note_clients_gone(calls);
}

void GuardianLink::Impl::lose_late(Instant now, Calls& calls) {
    for (std::size_t i = 0; i < kGuardians; ++i) {
        if (peers_.at(i).owes_since() < kForever && now >= peers_.at(i).owes_since() + ack_bound_) {
            lose(i, "it does not answer", calls);
        }
    }
}

void GuardianLink::Impl::flush_all() {
    const Instant now = boottime();
    for (Peer& peer : peers_) {
        // A broken connection is seen, and told, by the thread: epoll wakes it.
        static_cast<void>(peer.is_lost() || peer.flush(now));
    }
}

void GuardianLink::Impl::send(const Message& lease) {
    const std::lock_guard lock{mutex_};
    if (!lease.has(kFlagReleased) && lease.instance != told_instance_) {
        if (lease.instance != fence_instance_) {
            fence_limit_.reset();
        }
        gone_told_ = false;  // A guardian may begin to fence by itself, and is to be heard then.
    }
    for (Peer& peer : peers_) {
        peer.put_lease(lease);
    }
    flush_all();
}

void GuardianLink::Impl::order(const Message& request) {
    const std::lock_guard lock{mutex_};
    if (request.kind == Kind::kFence || request.kind == Kind::kDrain) {
        gone_told_ = false;
    }
    if (request.kind == Kind::kFence && !fence_limit_.has_value()) {
        fence_limit_ = request.instant();
        fence_instance_ = request.instance;
        wake();
    }
    for (Peer& peer : peers_) {
        if (request.kind == Kind::kFence || request.kind == Kind::kDrain) {
            peer.forget_clients_gone();
        }
        // A queue that is full belongs to a guardian that does not answer: it will be lost.
        static_cast<void>(peer.is_lost() || peer.put(request));
    }
    flush_all();
}

/// With a descriptor, of which each gets its own.
void GuardianLink::Impl::order(const Message& request, int descriptor) {
    const std::lock_guard lock{mutex_};
    auto own = std::make_shared<const UniqueFd>(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
    CSS_CHECK(own->is_open());
    for (Peer& peer : peers_) {
        static_cast<void>(peer.is_lost() || peer.put(request, own));
    }
    flush_all();
}

void GuardianLink::Impl::dismiss(std::uint64_t client) {
    {
        const std::lock_guard lock{mutex_};
        last_resort_.remove(client);
    }
    order(Message{.kind = Kind::kDismiss, .client = client});
}

void GuardianLink::Impl::enlist(std::uint64_t client, int given, ClientForm form) {
    const std::lock_guard lock{mutex_};
    auto descriptor = std::make_shared<const UniqueFd>(fcntl(given, F_DUPFD_CLOEXEC, 0));
    const Message request{.kind = Kind::kEnlist, .flags = flags_of(form), .client = client};
    bool possible = client != 0 && descriptor->is_open() && enlisting_.count(client) == 0;
    for (const Peer& peer : peers_) {
        possible = possible && !peer.is_lost();
    }
    for (Peer& peer : peers_) {
        possible = possible && peer.put(request, descriptor);
    }
    if (possible) {
        enlisting_[client] = Enlisting{.awaited = kGuardians};
        last_resort_.add(client, UniqueFd{fcntl(given, F_DUPFD_CLOEXEC, 0)}, form);
        flush_all();
        return;
    }
    if (events_.on_client) {
        deferred_.push_back([this, client] { events_.on_client(client, EnlistOutcome::kRefused); });
        wake();
    }
}

void GuardianLink::Impl::shutdown() {
    {
        const std::lock_guard lock{mutex_};
        shutting_down_ = true;
    }
    order(Message{.kind = Kind::kShutdown});
}

std::size_t GuardianLink::Impl::clients_left() const {
    const std::lock_guard lock{mutex_};
    return std::max(peers_[0].clients(), peers_[1].clients());
}

std::string GuardianLink::Impl::warnings() const {
    const std::lock_guard lock{mutex_};
    std::string lines;
    for (const Which which : kBoth) {
        const std::uint32_t missing =
            peers_.at(static_cast<std::size_t>(which)).missing_privileges();
        if ((missing & kFlagNotRealtime) != 0) {
            lines += std::string{name_of(which)} + " runs without real-time priority\n";
        }
        if ((missing & kFlagNotLocked) != 0) {
            lines += std::string{name_of(which)} + " could not lock its memory\n";
        }
    }
    return lines;
}

bool GuardianLink::Impl::can_reset() const {
    const std::lock_guard lock{mutex_};
    return ((peers_[0].missing_privileges() | peers_[1].missing_privileges()) & kFlagNoReset) == 0;
}

GuardianLink::GuardianLink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GuardianLink::~GuardianLink() = default;

Result<std::unique_ptr<GuardianLink>> GuardianLink::start(const GuardianLinkOptions& options,
                                                          GuardianEvents events) {
    CSS_CHECK(!options.run_dir.empty());
    CSS_CHECK(options.ack_bound > Duration{0});
    auto impl = std::make_unique<Impl>(options, std::move(events));
    if (auto status = impl->open(options); !status) {
        return status.error();
    }
    return std::unique_ptr<GuardianLink>{new GuardianLink{std::move(impl)}};
}

void GuardianLink::send(const core::LeaseUpdate& update, Instance instance, Finality finality) {
    CSS_CHECK(update.serial > 0);
    CSS_CHECK(instance.node.is_some());
    impl_->send(
        Message{.kind = Kind::kLease,
                .flags = (update.armed ? kFlagArmed : 0) | (update.released ? kFlagReleased : 0) |
                         (finality == Finality::kFinal ? kFlagFinal : 0),
                .instance = instance,
                .serial = update.serial,
                .time = update.end.time_since_epoch().count(),
                .reboottime_ms = static_cast<std::uint32_t>(
                    std::chrono::floor<std::chrono::milliseconds>(update.reboottime).count())});
}

void GuardianLink::fence(const core::FenceSelf& order, Instance instance) {
    impl_->order(Message{.kind = Kind::kFence,
                         .instance = instance,
                         .time = order.deadline.time_since_epoch().count(),
                         .reason = static_cast<std::uint8_t>(order.reason),
                         .by = order.by});
}

void GuardianLink::drain(Instance instance, Duration patience) {
    impl_->order(Message{.kind = Kind::kDrain,
                         .instance = instance,
                         .time = (boottime() + patience).time_since_epoch().count()});
}

void GuardianLink::enlist_client(std::uint64_t client, int descriptor, ClientForm form) {
    impl_->enlist(client, descriptor, form);
}

void GuardianLink::dismiss_client(std::uint64_t client) {
    impl_->dismiss(client);
}

void GuardianLink::renew_page(int fd) {
    impl_->order(Message{.kind = Kind::kPage}, fd);
}

void GuardianLink::reset_host() {
    impl_->order(Message{.kind = Kind::kReset});
}

bool GuardianLink::can_reset() const {
    return impl_->can_reset();
}

std::size_t GuardianLink::clients_left() const {
    return impl_->clients_left();
}
std::string GuardianLink::warnings() const {
    return impl_->warnings();
}
void GuardianLink::shutdown() {
    impl_->shutdown();
}

}  // namespace css::guardian
