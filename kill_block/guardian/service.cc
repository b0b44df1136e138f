#include "kill_block/guardian/service.h"

#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "kill_block/guardian/process.h"

namespace css::guardian {
namespace {

/// Numbers of clients that no living daemon gave; a daemon counts up from small ones.
constexpr std::uint64_t kFormerBit = std::uint64_t{1} << 63;

bool watch(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

Message answer_of(Kind kind, const Message& request) {
    return Message{.kind = kind,
                   .flags = kFlagAnswer,
                   .instance = request.instance,
                   .serial = request.serial,
                   .client = request.client};
}

/// Only root and the user that runs the guardian may be its daemon.
bool is_permitted(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

}  // namespace

Service::Service(const ServiceOptions& options) : options_(options), acts_(options.name) {}

Service::~Service() {
    for (std::size_t i = 0; i < kConnectionsMax; ++i) {
        close_connection(i);
    }
    for (const int fd : {epoll_, timer_, children_, partner_}) {
        if (fd >= 0) {
            close(fd);
        }
    }
}

bool Service::open() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    timer_ = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    children_ = sigprocmask(SIG_BLOCK, &ended, nullptr) == 0
                    ? signalfd(-1, &ended, SFD_NONBLOCK | SFD_CLOEXEC)
                    : -1;
    acts_.open(epoll_, options_.last_gasp_path);
    return epoll_ >= 0 && timer_ >= 0 && children_ >= 0 && watch(epoll_, options_.listener) &&
           watch(epoll_, timer_) && watch(epoll_, children_);
}

void Service::run() {
    while (running_) {
        wait();
        carry_out();
    }
    acts_.end();
}

/// Takes in what has happened, in an order that matters: first everything the daemons have said,
/// then who died, because a daemon that released its instance and ended did so in this order.
void Service::wait() {
    constexpr std::size_t kEventsMax = 64;
    std::array<epoll_event, kEventsMax> events{};
    const int timeout = act_now_ ? 0 : -1;
    act_now_ = false;
    const int count = epoll_wait(epoll_, events.data(), kEventsMax, timeout);
    for (std::size_t i = 0; i < kConnectionsMax; ++i) {
        read_all(i);
    }
    for (int i = 0; i < count; ++i) {
        take_event(events[static_cast<std::size_t>(i)].data.fd);
    }
}

void Service::take_event(int fd) {
    if (fd == options_.listener) {
        accept_all();
    } else if (fd == timer_) {
        std::uint64_t expirations = 0;
        static_cast<void>(!read(timer_, &expirations, sizeof expirations));
        timer_at_ = kForever;
    } else if (fd == children_) {
        signalfd_siginfo signal{};
        while (read(children_, &signal, sizeof signal) == sizeof signal) {
        }
        reap();
    } else {
        take_gone(fd);
    }
}

void Service::reap() {
    int status = 0;
    for (pid_t child = waitpid(-1, &status, WNOHANG); child > 0;
         child = waitpid(-1, &status, WNOHANG)) {
        acts_.note_child(child, status);
    }
}

/// A descriptor became readable that is no socket's: the process behind it has ended, all threads
/// of it.
void Service::take_gone(int pidfd) {
    // The number may have been closed and given to a new client since the event was fetched.
    pollfd look{.fd = pidfd, .events = POLLIN, .revents = 0};
    if (poll(&look, 1, 0) != 1 || (look.revents & POLLIN) == 0) {
        return;
    }
    for (std::size_t i = 0; i < kConnectionsMax; ++i) {
        if (connections_[i].socket == pidfd) {
            return;  // Read already.
        }
        if (connections_[i].pidfd == pidfd) {
            close_connection(i);
            return;
        }
    }
    if (pidfd == partner_) {
        epoll_ctl(epoll_, EPOLL_CTL_DEL, partner_, nullptr);
        close(partner_);
        partner_ = -1;
        if (keeper_.guarding()) {
            acts_.tell_partner_gone("LHB the other guardian has ended; this one goes on alone");
        }
        return;
    }
    acts_.registry().remove_pidfd(pidfd);
}

void Service::accept_all() {
    for (;;) {
        const int socket =
            accept4(options_.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) {
            return;
        }
        std::size_t free = 0;
        while (free < kConnectionsMax &&
               (connections_[free].socket >= 0 || connections_[free].pidfd >= 0)) {
            ++free;
        }
        if (free == kConnectionsMax || !is_permitted(socket) || !watch(epoll_, socket)) {
            close(socket);
            continue;
        }
        connections_[free] = Connection{};
        connections_[free].socket = socket;
        act_now_ = true;  // Its hello may be there already.
    }
}

void Service::read_all(std::size_t index) {
    constexpr int kPacketsMax = 256;  // A daemon that floods must not keep the end from being seen.
    for (int i = 0; i < kPacketsMax && connections_[index].socket >= 0; ++i) {
        Packet packet;
        switch (receive_packet(connections_[index].socket, packet)) {
            case Io::kDone: answer(index, packet); break;
            case Io::kWouldBlock: return;
            case Io::kClosed:
                if (connections_[index].pidfd < 0) {
                    close_connection(index);
                } else {
                    close_socket(index);  // Its process may live: the pidfd tells.
                }
                return;
        }
    }
    act_now_ = connections_[index].socket >= 0;
}

void Service::answer(std::size_t index, Packet& packet) {
    if (!packet.message.has_value()) {
        return reply(index,
                     Message{.kind = Kind::kRefuse,
                             .flags = kFlagAnswer,
                             .reason = static_cast<std::uint8_t>(Refusal::kMalformed)});
    }
    const Message request = *packet.message;
    if (request.kind == Kind::kHello) {
        return answer_hello(index, packet);
    }
    if (request.kind == Kind::kFormer) {
        return answer_former(index, packet);
    }
    if (index != daemon_) {
        return answer_ending(index, request, Refusal::kNotYours);
    }
    answer_daemon(index, packet);
}

/// Requests of the daemon served.
void Service::answer_daemon(std::size_t index, Packet& packet) {
    const Message& request = *packet.message;
    switch (request.kind) {
        case Kind::kLease: return answer_ending(index, request, answer_lease(request));
        case Kind::kFence:
            told_clients_ = SIZE_MAX;  // Tell again, also when all had gone before.
            return answer_ending(index, request, keeper_.order_fence(boottime(), request));
        case Kind::kDrain:
            told_clients_ = SIZE_MAX;
            return answer_ending(index, request, keeper_.order_drain(request));
        case Kind::kEnlist: return answer_enlist(index, packet);
        case Kind::kDismiss:
            acts_.registry().remove(request.client);
            return reply(index, answer_of(Kind::kAcknowledge, request));
        case Kind::kShutdown:
            running_ = !keeper_.may_shut_down(acts_.situation());
            return answer_ending(index, request, running_ ? Refusal::kClientsLeft : Refusal::kNone);
        case Kind::kPage: return answer_ending(index, request, answer_page(packet));
        case Kind::kReset:
            keeper_.order_reset(boottime());
            return answer_ending(index, request, Refusal::kNone);
        case Kind::kPartner: return answer_ending(index, request, answer_partner(packet));
        case Kind::kHello:
        case Kind::kFormer:
        case Kind::kWaiting:
        case Kind::kWelcome:
        case Kind::kAcknowledge:
        case Kind::kRefuse:
        case Kind::kEnlisted:
        case Kind::kClients:
        case Kind::kWatchdog: break;
    }
    answer_ending(index, request, Refusal::kMalformed);
}

void Service::answer_hello(std::size_t index, Packet& packet) {
    Connection& connection = connections_[index];
    const int pidfd = packet.take(0);
    if (pidfd < 0 || connection.pidfd >= 0 || !watch(epoll_, pidfd)) {
        if (pidfd >= 0) {
            close(pidfd);
        }
        return answer_ending(index, *packet.message, Refusal::kMalformed);
    }
    connection.pidfd = pidfd;
    connection.orders_fd = packet.take(1);
    connection.page_fd = packet.take(2);
    connection.last_words = Duration{packet.message->time};
    connection.order = ++hellos_;
    // The answer, so that the daemon knows that we live; the welcome follows when it may.
    reply(index,
          Message{.kind = Kind::kWaiting,
                  .flags = kFlagAnswer | (keeper_.daemon_alive() ? kFlagFormerAlive : 0),
                  .count = static_cast<std::uint32_t>(left()),
                  .client = static_cast<std::uint64_t>(getpid())});
}

Refusal Service::answer_lease(const Message& request) {
    const Duration reboottime = std::chrono::milliseconds{request.reboottime_ms};
    const Refusal refusal = keeper_.take_lease(boottime(),
                                               LeaseOrder{.instance = request.instance,
                                                          .serial = request.serial,
                                                          .end = request.instant(),
                                                          .armed = request.has(kFlagArmed),
                                                          .released = request.has(kFlagReleased),
                                                          .final = request.has(kFlagFinal),
                                                          .reboottime = reboottime},
                                               acts_.situation());
    if (refusal == Refusal::kNone && keeper_.guarding() && !keeper_.ending()) {
        // Before the answer: the instance may not act earlier (PROTOCOL 8).
        acts_.arm_watchdog(reboottime);
    }
    return refusal;
}

bool Service::enlist(Packet& packet) {
    const Message& request = *packet.message;
    const int descriptor = packet.take(0);
    if (descriptor < 0) {
        return false;
    }
    const ClientKind kind = !request.has(kFlagCgroup)   ? ClientKind::kProcess
                            : request.has(kFlagFreezer) ? ClientKind::kCgroupV1
                                                        : ClientKind::kCgroupV2;
    if (acts_.registry().add(request.client, descriptor, kind) == Registry::Added::kYes) {
        return true;
    }
    close(descriptor);
    return false;
}

void Service::answer_enlist(std::size_t index, Packet& packet) {
    Message answer = answer_of(Kind::kEnlisted, *packet.message);
    if (keeper_.may_take_client() && enlist(packet)) {
        answer.flags |= kFlagHeld;
    }
    reply(index, answer);
}

/// From a daemon that has found clients of a former one; this guardian may know them already, or be
/// new itself. They are killed whoever tells: no daemon that lives has a claim on them.
void Service::answer_former(std::size_t index, Packet& packet) {
    if (keeper_.daemon_alive()) {
        return answer_ending(index, *packet.message, Refusal::kNotYours);
    }
    packet.message->client = kFormerBit | ++formers_;
    const bool added = enlist(packet);
    if (added) {
        keeper_.take_former(boottime());
    }
    answer_ending(index, *packet.message, added ? Refusal::kNone : Refusal::kMalformed);
}

Refusal Service::answer_page(Packet& packet) {
    const int descriptor = packet.take(0);
    if (descriptor < 0 || (keeper_.guarding() && !keeper_.fencing())) {
        close(descriptor);
        return Refusal::kMalformed;
    }
    acts_.take_page(descriptor);
    return Refusal::kNone;
}

Refusal Service::answer_partner(Packet& packet) {
    const int descriptor = packet.take(0);
    if (descriptor < 0 || !watch(epoll_, descriptor)) {
        close(descriptor);
        return Refusal::kMalformed;
    }
    if (partner_ >= 0) {
        close(std::exchange(partner_, -1));  // A former one: the daemon knows better.
    }
    partner_ = descriptor;
    acts_.registry().spare(pid_of(connections_[daemon_].pidfd), pid_of(partner_));
    return Refusal::kNone;
}

void Service::answer_ending(std::size_t index, const Message& request, Refusal refusal) {
    Message answer =
        answer_of(refusal == Refusal::kNone ? Kind::kAcknowledge : Kind::kRefuse, request);
    answer.reason = static_cast<std::uint8_t>(refusal);
    reply(index, answer);
}

/// A daemon that does not read its answers is as good as gone: its end will tell.
void Service::reply(std::size_t index, const Message& message) {
    if (connections_[index].socket >= 0) {
        static_cast<void>(send_packet(connections_[index].socket, message));
    }
}

void Service::close_socket(std::size_t index) {
    if (connections_[index].socket >= 0) {
        close(connections_[index].socket);
        connections_[index].socket = -1;
    }
}

/// The process behind it has ended, or it never said who it is.
void Service::close_connection(std::size_t index) {
    close_socket(index);
    if (connections_[index].pidfd >= 0) {
        epoll_ctl(epoll_, EPOLL_CTL_DEL, connections_[index].pidfd, nullptr);
    }
    const Connection& gone = connections_[index];
    for (const int fd : {gone.pidfd, gone.orders_fd, gone.page_fd}) {
        if (fd >= 0) {
            close(fd);
        }
    }
    connections_[index] = Connection{};
    if (index == daemon_) {
        daemon_ = kNobody;
        keeper_.daemon_died(boottime());
    }
}

void Service::carry_out() {
    const int daemon = daemon_ == kNobody ? -1 : connections_[daemon_].pidfd;
    set_timer(acts_.carry_out(keeper_, boottime(), daemon));
    tell_clients_left();
    tell_watchdog();
    serve_next();
    tell_waiting();
}

void Service::set_timer(Instant at) {
    if (at == timer_at_) {
        return;
    }
    const Duration since = at.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    itimerspec spec{};
    if (at < kForever) {
        spec.it_value.tv_sec = seconds.count();
        spec.it_value.tv_nsec = (since - seconds).count();
    }
    // It can only fail for a time that is no time; then the next event must look again.
    CSS_CHECK(timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
    timer_at_ = at;
}

void Service::tell_clients_left() {
    if (!keeper_.ending() || daemon_ == kNobody) {
        told_clients_ = SIZE_MAX;
        return;
    }
    if (const std::size_t clients = left(); told_clients_ != clients) {
        told_clients_ = clients;
        reply(daemon_,
              Message{.kind = Kind::kClients,
                      .flags = keeper_.fencing() ? kFlagFencing : 0,
                      .count = static_cast<std::uint32_t>(clients)});
    }
}

void Service::tell_watchdog() {
    const Watchdog& watchdog = acts_.watchdog();
    if (daemon_ == kNobody || told_watchdog_ == watchdog.state()) {
        return;
    }
    told_watchdog_ = watchdog.state();
    reply(daemon_,
          Message{.kind = Kind::kWatchdog,
                  .count = watchdog.detail(),
                  .reason = static_cast<std::uint8_t>(watchdog.state())});
}

/// The daemon that came first becomes ours once nothing of the former one is left.
void Service::serve_next() {
    if (daemon_ != kNobody || !keeper_.may_take_daemon(acts_.situation())) {
        return;
    }
    for (std::size_t i = 0; i < kConnectionsMax; ++i) {
        const Connection& c = connections_[i];
        if (c.pidfd >= 0 && c.socket >= 0 &&
            (daemon_ == kNobody || c.order < connections_[daemon_].order)) {
            daemon_ = i;
        }
    }
    if (daemon_ == kNobody) {
        return;
    }
    Connection& connection = connections_[daemon_];
    acts_.registry().clear();  // Clients of an instance that was never armed: they never could act.
    acts_.registry().spare(pid_of(connection.pidfd), pid_of(partner_));
    keeper_.take_daemon(connection.last_words);
    keeper_.set_policy(acts_.take_orders(std::exchange(connection.orders_fd, -1)));
    acts_.take_page(std::exchange(connection.page_fd, -1));
    told_watchdog_ = WatchdogState::kNone;
    reply(daemon_,
          Message{.kind = Kind::kWelcome,
                  .flags = (options_.privileges.realtime ? 0 : kFlagNotRealtime) |
                           (options_.privileges.locked ? 0 : kFlagNotLocked) |
                           (acts_.can_reset() ? 0 : kFlagNoReset)});
}

void Service::tell_waiting() {
    const bool alive = keeper_.daemon_alive();
    if (told_former_ == alive && told_waiting_ == left()) {
        return;
    }
    told_former_ = alive;
    told_waiting_ = left();
    for (std::size_t i = 0; i < kConnectionsMax; ++i) {
        if (i != daemon_ && connections_[i].pidfd >= 0) {
            reply(i,
                  Message{.kind = Kind::kWaiting,
                          .flags = alive ? kFlagFormerAlive : 0,
                          .count = static_cast<std::uint32_t>(told_waiting_)});
        }
    }
}

}  // namespace css::guardian
