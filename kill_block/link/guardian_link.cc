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
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/shell_thread.h"
#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/process.h"
#include "kill_block/link/peer.h"
#include "kill_block/link/spawn.h"

namespace css::guardian {
namespace {

constexpr std::size_t kGuardians = 2;
constexpr Duration kStartPatience = std::chrono::seconds{2};
constexpr Duration kShutdownPatience = std::chrono::milliseconds{500};
constexpr std::array<Which, kGuardians> kBoth{Which::kAgent, Which::kMonitor};

Error system_error(const std::string& step) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, step + ": " + std::strerror(number)};
}

int to_milliseconds(Duration d) {
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

/// Not open: nobody listens there, errno says why.
UniqueFd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return UniqueFd{};
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd fd{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd.is_open() ||
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return UniqueFd{};
    }
    return fd;
}

/// Says hello and waits for the first answer. Nothing: it went away, or is no guardian of this
/// version (errno EPROTO).
std::optional<Message> exchange_hello(int socket, const GuardianLinkOptions& options) {
    const UniqueFd self{open_pidfd(getpid())};
    const std::array<int, 2> descriptors{self.get(), options.page_fd};
    const Message hello{.kind = Kind::kHello, .time = options.last_words.count()};
    const std::size_t count = options.page_fd >= 0 ? 2 : 1;
    if (!self.is_open() ||
        send_packet(socket, hello, std::span{descriptors}.first(count)) != Io::kDone) {
        return std::nullopt;
    }
    pollfd answered{.fd = socket, .events = POLLIN, .revents = 0};
    if (poll(&answered, 1, to_milliseconds(kStartPatience)) != 1) {
        errno = ETIMEDOUT;
        return std::nullopt;
    }
    Packet packet;
    if (receive_packet(socket, packet) != Io::kDone) {
        errno = ECONNRESET;
        return std::nullopt;
    }
    if (!packet.message.has_value() || packet.message->kind != Kind::kWaiting) {
        errno = EPROTO;
        return std::nullopt;
    }
    return packet.message;
}

struct Contact {
    UniqueFd socket;
    Message answer;
};

/// Connects to a guardian, starting it if nobody answers. One that is just shutting down closes the
/// connection or still holds its lock: tried again until `kStartPatience` is over.
Result<Contact> reach(Which which, const GuardianLinkOptions& options) {
    const std::string path = options.run_dir + "/" + name_of(which) + ".sock";
    const Instant limit = boottime() + kStartPatience;
    for (;;) {
        UniqueFd socket = connect_to(path);
        if (socket.is_open()) {
            if (const auto answer = exchange_hello(socket.get(), options)) {
                return Contact{std::move(socket), *answer};
            }
            if (errno == EPROTO) {
                return Error{ErrorCode::kConflict,
                             EPROTO,
                             path + ": another version of the guardian serves there"};
            }
        } else if (errno != ENOENT && errno != ECONNREFUSED) {
            return system_error(path);
        }
        const Instant now = boottime();
        if (now >= limit) {
            return system_error(path);
        }
        if (socket.is_open()) {
            continue;
        }
        const auto directory = find_guardian_dir(options.guardian_dir);
        if (!directory) {
            return directory.error();
        }
        if (auto status = spawn_guardian(*directory, which, options, limit - now); !status) {
            return status.error();
        }
        constexpr timespec kPause{0, 5'000'000};  // Only matters while a former one shuts down.
        clock_nanosleep(CLOCK_MONOTONIC, 0, &kPause, nullptr);
    }
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
        : ack_bound_(options.ack_bound), events_(std::move(events)) {}
    ~Impl();
    Status open(const GuardianLinkOptions& options);

    void send(const Message& lease);
    void order(const Message& request);
    void enlist(std::uint64_t client, int pidfd);
    void shutdown();
    std::size_t clients_left() const;
    std::string warnings() const;

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
    [[nodiscard]] int patience(Instant now) const;
    void wake() const;

    const Duration ack_bound_;
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
};

Status GuardianLink::Impl::open(const GuardianLinkOptions& options) {
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    wakeup_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event wake_event{};
    wake_event.events = EPOLLIN;
    wake_event.data.u32 = kGuardians;
    if (!epoll_.is_open() || !wakeup_.is_open() ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &wake_event) != 0) {
        return system_error("guardian link");
    }
    for (const Which which : kBoth) {
        auto contact = reach(which, options);
        if (!contact) {
            return contact.error();
        }
        const auto index = static_cast<std::size_t>(which);
        peers_.at(index).connect(std::move(contact->socket));
        static_cast<void>(peers_.at(index).take(boottime(), contact->answer));
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
    wake();
    return thread_.start("guardian", [this] { run(); });
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
            const Instant now = boottime();
            lose_late(now, calls);
            timeout = patience(now);
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
    if (news.refused.has_value()) {
        note_refused(index, *news.refused, calls);
    }
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
    if (some && !std::exchange(gone_told_, true) && events_.on_clients_gone) {
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
    for (Peer& peer : peers_) {
        if (request.kind == Kind::kFence || request.kind == Kind::kDrain) {
            peer.forget_clients_gone();
        }
        // A queue that is full belongs to a guardian that does not answer: it will be lost.
        static_cast<void>(peer.is_lost() || peer.put(request));
    }
    flush_all();
}

void GuardianLink::Impl::enlist(std::uint64_t client, int pidfd) {
    const std::lock_guard lock{mutex_};
    auto descriptor = std::make_shared<const UniqueFd>(fcntl(pidfd, F_DUPFD_CLOEXEC, 0));
    const Message request{.kind = Kind::kEnlist, .client = client};
    bool possible = client != 0 && descriptor->is_open() && enlisting_.count(client) == 0;
    for (const Peer& peer : peers_) {
        possible = possible && !peer.is_lost();
    }
    for (Peer& peer : peers_) {
        possible = possible && peer.put(request, descriptor);
    }
    if (possible) {
        enlisting_[client] = Enlisting{.awaited = kGuardians};
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
    impl_->send(Message{.kind = Kind::kLease,
                        .flags = (update.armed ? kFlagArmed : 0) |
                                 (update.released ? kFlagReleased : 0) |
                                 (finality == Finality::kFinal ? kFlagFinal : 0),
                        .instance = instance,
                        .serial = update.serial,
                        .time = update.end.time_since_epoch().count()});
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

void GuardianLink::enlist_client(std::uint64_t client, int pidfd) {
    impl_->enlist(client, pidfd);
}

void GuardianLink::dismiss_client(std::uint64_t client) {
    impl_->order(Message{.kind = Kind::kDismiss, .client = client});
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
