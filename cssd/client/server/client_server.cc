#include "cssd/client/server/client_server.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/client/server/client_server_impl.h"

// Connections. Who is registered: registrations.cc; what is asked of groups: client_groups.cc.

namespace css::client {
namespace {

// What an event of epoll is about: one of these, or a client with one of the bits or neither.
constexpr std::uint64_t kListener = 0;
constexpr std::uint64_t kWakeup = 1;
constexpr std::uint64_t kFirstClient = 2;
constexpr int kCgroupPeriodMs = 200;  ///< How often cgroups that should be empty are looked at.
constexpr int kRequestsInTurn = 16;   ///< Of one client, before the others have their turn.

Error system_error(const std::string& step) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, step + ": " + std::strerror(number)};
}

Result<UniqueFd> listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return system_error(path);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    unlink(path.c_str());
    UniqueFd fd{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int on = 1;
    if (!fd.is_open() || setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
        bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        chmod(path.c_str(), 0666) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
        return system_error(path);
    }
    return fd;
}

UniqueFd open_reserve() {
    return UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

/// Root, or the user that runs the daemon.
bool is_privileged(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

}  // namespace

Status ClientServer::Impl::open() {
    path_ = options_.run_dir + "/client.sock";
    next_ = kFirstClient;
    page_.reset(fcntl(options_.page_fd, F_DUPFD_CLOEXEC, 0));
    reserve_ = open_reserve();
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    wakeup_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!page_.is_open() || !epoll_.is_open() || !wakeup_.is_open() || !reserve_.is_open()) {
        return system_error("client socket");
    }
    auto listener = listen_at(path_);
    if (!listener) {
        return listener.error();
    }
    listener_ = std::move(*listener);
    if (!watch(listener_.get(), kListener, EPOLLIN) || !watch(wakeup_.get(), kWakeup, EPOLLIN)) {
        return system_error("client socket");
    }
    return thread_.start("clients", [this] { run(); });
}

ClientServer::Impl::~Impl() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake();
    thread_.join();
    if (listener_.is_open()) {
        unlink(path_.c_str());
    }
}

bool ClientServer::Impl::watch(int fd, std::uint64_t key, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void ClientServer::Impl::wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(!write(wakeup_.get(), &one, sizeof one));
}

void ClientServer::Impl::run() {
    constexpr std::size_t kEventsMax = 64;
    std::array<epoll_event, kEventsMax> events{};
    for (;;) {
        const int patience = cgroups_to_watch_ > 0 ? kCgroupPeriodMs : -1;
        const int count = epoll_wait(epoll_.get(), events.data(), kEventsMax, patience);
        {
            const std::lock_guard lock{mutex_};
            if (stopping_) {
                return;
            }
        }
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            take_event(event.data.u64, event.events);
        }
        if (count == 0) {
            look_at_cgroups();
        }
    }
}

void ClientServer::Impl::take_event(std::uint64_t key, std::uint32_t events) {
    if (key == kListener) {
        return accept_all();
    }
    if (key == kWakeup) {
        std::uint64_t count = 0;
        static_cast<void>(!read(wakeup_.get(), &count, sizeof count));
        return take_posts();
    }
    const auto found = clients_.find(key & ~(kProcessBit | kEventsBit));
    if (found == clients_.end()) {
        return;  // Forgotten by an earlier event of this round.
    }
    if ((key & kProcessBit) != 0) {
        process_ended(found);
    } else if ((key & kEventsBit) != 0) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
            drop_events(found->second);
        } else {
            send_events(found->first);
        }
    } else {
        read_some(found->first);
    }
}

void ClientServer::Impl::accept_all() {
    for (;;) {
        UniqueFd socket{accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (socket.is_open()) {
            static_cast<void>(admit(std::move(socket)));
            continue;
        }
        if (errno != EMFILE && errno != ENFILE) {
            return;
        }
        // Without a free descriptor the client would stay in the queue and wake this loop for ever.
        reserve_.reset();
        UniqueFd turned_away{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        const bool more = turned_away.is_open();
        turned_away.reset();
        reserve_ = open_reserve();
        if (!more) {
            return;
        }
    }
}

/// False: no place is left; ordinary users never take the last ones.
bool ClientServer::Impl::admit(UniqueFd socket) {
    const std::size_t places =
        is_privileged(socket.get()) ? options_.clients_max : options_.clients_max / 4 * 3;
    if (clients_.size() >= places || !watch(socket.get(), next_, EPOLLIN)) {
        return false;
    }
    clients_[next_].socket = std::move(socket);
    ++next_;
    return true;
}

void ClientServer::Impl::read_some(std::uint64_t id) {
    for (int turn = 0; turn < kRequestsInTurn; ++turn) {
        const auto found = clients_.find(id);
        if (found == clients_.end() || !found->second.socket.is_open()) {
            return;
        }
        Request request;
        switch (receive(found->second.socket.get(), request)) {
            case Io::kDone: answer(id, request); break;
            case Io::kWouldBlock: return;
            case Io::kClosed: return close_socket(id);
        }
    }
}

void ClientServer::Impl::answer(std::uint64_t id, Request& request) {
    Client& client = clients_.at(id);
    if (!request.valid) {
        return close_socket(id);
    }
    switch (request.message.kind) {
        case Kind::kHello:
            change_state(client, client.state == State::kNew ? State::kConnected : client.state);
            return reply(id, Kind::kWelcome, 0, {}, page_.get());
        case Kind::kRegister:
            if (const int refusal = begin_registration(id, request); refusal != 0) {
                reply(id, Kind::kRegistered, refusal);
            }
            return;
        case Kind::kRegisterCgroup:
            if (const int refusal = begin_cgroup_registration(id, request); refusal != 0) {
                reply(id, Kind::kRegistered, refusal);
            }
            return;
        case Kind::kUnregister: return reply(id, Kind::kUnregistered, unregister(id));
        case Kind::kGroupJoin:
        case Kind::kGroupPublish:
        case Kind::kGroupLeave:
        case Kind::kGroupKill:
        case Kind::kGroupMembers:
        case Kind::kGroupData:
        case Kind::kMembership:
        case Kind::kEvents: return answer_question(id, request);
        case Kind::kWelcome:
        case Kind::kRegistered:
        case Kind::kUnregistered:
        case Kind::kAnswer:
        case Kind::kEvent: break;
    }
    close_socket(id);
}

void ClientServer::Impl::take_posts() {
    std::vector<Post> posts;
    decltype(missed_) missed;
    {
        const std::lock_guard lock{mutex_};
        posts.swap(posts_);
        missed.swap(missed_);
    }
    for (Post& post : posts) {
        std::visit([this](auto& what) { take(what); }, post);
    }
    for (const auto& [whom, what] : missed) {
        tell(whom.first, missed_event(whom.second, what.first, what.second));
    }
}

void ClientServer::Impl::take(Page& post) {
    page_ = std::move(post.descriptor);
    std::vector<std::uint64_t> connected;
    for (const auto& [id, client] : clients_) {
        if (client.socket.is_open()) {
            connected.push_back(id);
        }
    }
    for (const std::uint64_t id : connected) {
        close_socket(id);
    }
}

void ClientServer::Impl::reply(
    std::uint64_t id, Kind kind, int status, std::span<const std::byte> body, int descriptor) {
    const int socket = clients_.at(id).socket.get();
    // One that does not take its answers is not served.
    if (socket >= 0 && send(socket, kind, status, body, descriptor) != Io::kDone) {
        close_socket(id);
    }
}

void ClientServer::Impl::close_socket(std::uint64_t id) {
    Client& client = clients_.at(id);
    client.socket.reset();
    drop_events(client);
    cgroups_to_watch_ += client.cgroup.is_open() ? 1U : 0U;
    if (!client.is_enlisted()) {
        clients_.erase(id);
    }
}

/// Events that find no room are counted. Everything else is bounded by what clients have asked.
void ClientServer::Impl::post(Post post) {
    {
        const std::lock_guard lock{mutex_};
        const auto* told = std::get_if<Told>(&post);
        if (told == nullptr || (posts_.size() < kPostsMax && missed_.empty())) {
            posts_.push_back(std::move(post));
        } else {
            for (const std::uint64_t client : told->clients) {
                auto& [serial, events] = missed_[{client, told->event->group}];
                serial = told->event->serial;
                events += told->event->events;
            }
        }
    }
    wake();
}

std::size_t ClientServer::Impl::registered() const {
    const std::lock_guard lock{mutex_};
    return registered_;
}

ClientServer::ClientServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ClientServer::~ClientServer() = default;

Result<std::unique_ptr<ClientServer>> ClientServer::start(ClientServerOptions options) {
    CSS_CHECK(options.enlist != nullptr);
    CSS_CHECK(options.dismiss != nullptr);
    auto impl = std::make_unique<Impl>(std::move(options));
    if (auto status = impl->open(); !status) {
        return status.error();
    }
    return std::unique_ptr<ClientServer>{new ClientServer{std::move(impl)}};
}

void ClientServer::enlisted(std::uint64_t client, bool held) {
    impl_->post(Impl::Enlisted{client, held});
}
void ClientServer::ask_to_end() {
    impl_->post(Impl::AskToEnd{});
}
void ClientServer::renew_page(int page_fd) {
    UniqueFd own{fcntl(page_fd, F_DUPFD_CLOEXEC, 0)};
    CSS_CHECK(own.is_open());
    impl_->post(Impl::Page{std::move(own)});
}

std::size_t ClientServer::registered() const {
    return impl_->registered();
}

}  // namespace css::client
