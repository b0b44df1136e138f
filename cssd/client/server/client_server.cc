#include "cssd/client/server/client_server.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/shell_thread.h"
#include "cssd/base/unique_fd.h"
#include "cssd/client/message.h"
#include "cssd/client/server/cgroup.h"

namespace css::client {
namespace {

constexpr std::uint64_t kListener = 0;
constexpr std::uint64_t kWakeup = 1;
constexpr std::uint64_t kFirstClient = 2;
constexpr std::uint64_t kProcessBit = std::uint64_t{1} << 63;  ///< The event is of a pidfd.
constexpr int kOrphanPeriodMs = 1000;  ///< How often cgroups without a connection are looked at.

Error system_error(const std::string& step) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, step + ": " + std::strerror(number)};
}

struct Request {
    Message message;
    bool valid = false;
    CgroupOwner sender;  ///< As the kernel vouches for it.
    UniqueFd descriptor;
};

enum class Io { kDone, kWouldBlock, kClosed };

Io receive(int socket, Request& request) {
    MessageBytes bytes;
    iovec part{bytes.at, sizeof bytes.at};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))>
        control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? Io::kWouldBlock : Io::kClosed;
    }
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
            request.descriptor.reset(fd);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            ucred sender{};
            std::memcpy(&sender, CMSG_DATA(c), sizeof sender);
            request.sender = CgroupOwner{sender.pid, sender.uid};
        }
    }
    request.valid = decode(bytes, static_cast<std::size_t>(got), request.message);
    return got == 0 ? Io::kClosed : Io::kDone;
}

bool send(int socket, Kind kind, int status, int descriptor) {
    MessageBytes bytes = encode(kind, status);
    iovec part{bytes.at, sizeof bytes.at};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (descriptor >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/// The process behind a pidfd, as this process numbers it; 0 when it is not a pidfd or has ended.
pid_t pid_of(int pidfd) {
    const std::string path = "/proc/self/fdinfo/" + std::to_string(pidfd);
    std::FILE* file = std::fopen(path.c_str(), "re");
    if (file == nullptr) {
        return 0;
    }
    std::array<char, 128> line{};
    int pid = 0;
    while (std::fgets(line.data(), static_cast<int>(line.size()), file) != nullptr) {
        if (std::strncmp(line.data(), "Pid:", 4) == 0) {
            pid = static_cast<int>(std::strtol(line.data() + 4, nullptr, 10));
        }
    }
    std::fclose(file);
    return pid > 0 ? pid : 0;
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

}  // namespace

class ClientServer::Impl {
public:
    explicit Impl(ClientServerOptions options) : options_(std::move(options)) {}
    ~Impl();
    Status open();
    void enlisted(std::uint64_t client, bool held);
    void ask_to_end();
    std::size_t registered() const;

private:
    enum class State : std::uint8_t { kNew, kConnected, kRegistering, kRegistered };
    struct Client {
        UniqueFd socket;   ///< Closed: the program disconnected, its process lives.
        UniqueFd process;  ///< Of a client that is a process.
        UniqueFd cgroup;   ///< Of a client that is a cgroup.
        CgroupKind cgroup_kind = CgroupKind::kV2;
        State state = State::kNew;

        [[nodiscard]] bool is_enlisted() const { return process.is_open() || cgroup.is_open(); }
    };
    struct Answer {
        std::uint64_t client = 0;
        bool held = false;
    };
    using Clients = std::map<std::uint64_t, Client>;

    void run();
    bool watch(int fd, std::uint64_t key);
    void wake() const;
    void accept_all();
    void take_answers();
    void take_event(std::uint64_t key);
    void read_all(std::uint64_t id);
    void answer(std::uint64_t id, Request& request);
    int begin_registration(std::uint64_t id, Request& request);
    int begin_cgroup_registration(std::uint64_t id, Request& request);
    void look_at_orphans();
    void reply(std::uint64_t id, Kind kind, int status, int descriptor = -1);
    void close_socket(std::uint64_t id);
    void drop_target(Client& client);
    void change_state(Client& client, State state);

    ClientServerOptions options_;
    std::string path_;
    UniqueFd page_;
    UniqueFd listener_;
    UniqueFd epoll_;
    UniqueFd wakeup_;
    Clients clients_;          ///< Of the thread alone.
    std::size_t orphans_ = 0;  ///< Registered cgroups whose connection is closed.
    std::uint64_t next_ = kFirstClient;
    bool ending_ = false;

    mutable std::mutex mutex_;  ///< Guards what other threads touch, below.
    std::vector<Answer> answers_;
    bool asked_to_end_ = false;
    bool stopping_ = false;
    std::size_t registered_ = 0;
    ShellThread thread_;
};

Status ClientServer::Impl::open() {
    path_ = options_.run_dir + "/client.sock";
    page_.reset(fcntl(options_.page_fd, F_DUPFD_CLOEXEC, 0));
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    wakeup_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!page_.is_open() || !epoll_.is_open() || !wakeup_.is_open()) {
        return system_error("client socket");
    }
    auto listener = listen_at(path_);
    if (!listener) {
        return listener.error();
    }
    listener_ = std::move(*listener);
    if (!watch(listener_.get(), kListener) || !watch(wakeup_.get(), kWakeup)) {
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

bool ClientServer::Impl::watch(int fd, std::uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
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
        const int patience = orphans_ > 0 ? kOrphanPeriodMs : -1;
        const int count = epoll_wait(epoll_.get(), events.data(), kEventsMax, patience);
        {
            const std::lock_guard lock{mutex_};
            if (stopping_) {
                return;
            }
        }
        for (int i = 0; i < count; ++i) {
            take_event(events[static_cast<std::size_t>(i)].data.u64);
        }
        if (count == 0) {
            look_at_orphans();
        }
    }
}

void ClientServer::Impl::take_event(std::uint64_t key) {
    if (key == kListener) {
        return accept_all();
    }
    if (key == kWakeup) {
        std::uint64_t count = 0;
        static_cast<void>(!read(wakeup_.get(), &count, sizeof count));
        return take_answers();
    }
    const std::uint64_t id = key & ~kProcessBit;
    const auto found = clients_.find(id);
    if (found == clients_.end()) {
        return;  // Forgotten by an earlier event of this round.
    }
    if ((key & kProcessBit) == 0) {
        return read_all(id);
    }
    change_state(found->second, State::kNew);  // The process has ended; the guardians see it too.
    drop_target(found->second);
    clients_.erase(found);
}

void ClientServer::Impl::accept_all() {
    for (;;) {
        UniqueFd socket{accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!socket.is_open()) {
            return;
        }
        if (clients_.size() >= options_.clients_max || !watch(socket.get(), next_)) {
            continue;
        }
        clients_[next_].socket = std::move(socket);
        ++next_;
    }
}

void ClientServer::Impl::read_all(std::uint64_t id) {
    for (;;) {
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
            return reply(id, Kind::kWelcome, 0, page_.get());
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
        case Kind::kUnregister:
            if (client.state != State::kRegistered) {
                return reply(id, Kind::kUnregistered, -EINVAL);
            }
            options_.dismiss(id);
            change_state(client, State::kConnected);
            drop_target(client);
            return reply(id, Kind::kUnregistered, 0);
        case Kind::kWelcome:
        case Kind::kRegistered:
        case Kind::kUnregistered: break;
    }
    close_socket(id);
}

/// 0: the answer comes with enlisted(). A client may only name itself: the guardians kill as root,
/// and must not be made to kill somebody else's process.
int ClientServer::Impl::begin_registration(std::uint64_t id, Request& request) {
    Client& client = clients_.at(id);
    if (client.state != State::kConnected) {
        return client.state == State::kNew ? -EPROTO : -EALREADY;
    }
    if (ending_) {
        return -EAGAIN;
    }
    if (!request.descriptor.is_open() || request.sender.pid <= 0 ||
        pid_of(request.descriptor.get()) != request.sender.pid) {
        return -EPERM;
    }
    if (!watch(request.descriptor.get(), id | kProcessBit)) {
        return -EAGAIN;
    }
    client.process = std::move(request.descriptor);
    change_state(client, State::kRegistering);
    options_.enlist(id, client.process.get());
    return 0;
}

int ClientServer::Impl::begin_cgroup_registration(std::uint64_t id, Request& request) {
    Client& client = clients_.at(id);
    if (client.state != State::kConnected) {
        return client.state == State::kNew ? -EPROTO : -EALREADY;
    }
    if (options_.enlist_cgroup == nullptr) {
        return -EOPNOTSUPP;
    }
    if (ending_) {
        return -EAGAIN;
    }
    if (!request.descriptor.is_open()) {
        return -EBADF;
    }
    const auto kind = inspect_cgroup(request.descriptor.get(), request.sender);
    if (!kind) {
        return kind.error().code == ErrorCode::kNotPermitted ? -EPERM : -EINVAL;
    }
    client.cgroup = std::move(request.descriptor);
    client.cgroup_kind = *kind;
    change_state(client, State::kRegistering);
    options_.enlist_cgroup(id, client.cgroup.get(), *kind);
    return 0;
}

/// A cgroup whose connection is closed is a client for as long as a process is in it. Asked from
/// time to time: version 1 has nothing to wait for.
void ClientServer::Impl::look_at_orphans() {
    orphans_ = 0;
    for (auto next = clients_.begin(); next != clients_.end();) {
        const auto here = next++;
        Client& client = here->second;
        if (client.socket.is_open() || !client.cgroup.is_open()) {
            continue;
        }
        if (is_populated(client.cgroup.get(), client.cgroup_kind)) {
            ++orphans_;
        } else {
            options_.dismiss(here->first);
            change_state(client, State::kNew);
            clients_.erase(here);
        }
    }
}

void ClientServer::Impl::take_answers() {
    std::vector<Answer> answers;
    bool end = false;
    {
        const std::lock_guard lock{mutex_};
        answers.swap(answers_);
        end = asked_to_end_ && !ending_;
    }
    for (const Answer& given : answers) {
        const auto found = clients_.find(given.client);
        if (found == clients_.end() || found->second.state != State::kRegistering) {
            continue;
        }
        change_state(found->second, given.held ? State::kRegistered : State::kConnected);
        if (!given.held) {
            drop_target(found->second);
        }
        reply(given.client, Kind::kRegistered, given.held ? 0 : -EAGAIN);
    }
    if (!end) {
        return;
    }
    ending_ = true;
    for (const auto& [id, client] : clients_) {
        if (client.process.is_open()) {
            syscall(SYS_pidfd_send_signal, client.process.get(), SIGTERM, nullptr, 0);
        } else if (client.cgroup.is_open()) {
            signal_processes(client.cgroup.get(), SIGTERM);
        }
    }
}

void ClientServer::Impl::reply(std::uint64_t id, Kind kind, int status, int descriptor) {
    const int socket = clients_.at(id).socket.get();
    if (socket >= 0 && !send(socket, kind, status, descriptor)) {
        close_socket(id);
    }
}

void ClientServer::Impl::close_socket(std::uint64_t id) {
    Client& client = clients_.at(id);
    client.socket.reset();
    orphans_ += client.cgroup.is_open() ? 1U : 0U;
    if (!client.is_enlisted()) {
        clients_.erase(id);
    }
}

/// The guardians hold the same open file: closing ours would not end its events here.
void ClientServer::Impl::drop_target(Client& client) {
    if (client.process.is_open()) {
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client.process.get(), nullptr);
    }
    client.process.reset();
    client.cgroup.reset();
}

void ClientServer::Impl::change_state(Client& client, State state) {
    const std::lock_guard lock{mutex_};
    registered_ -= client.state == State::kRegistered ? 1 : 0;
    registered_ += state == State::kRegistered ? 1 : 0;
    client.state = state;
}

void ClientServer::Impl::enlisted(std::uint64_t client, bool held) {
    {
        const std::lock_guard lock{mutex_};
        answers_.push_back(Answer{client, held});
    }
    wake();
}

void ClientServer::Impl::ask_to_end() {
    {
        const std::lock_guard lock{mutex_};
        asked_to_end_ = true;
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
    impl_->enlisted(client, held);
}
void ClientServer::ask_to_end() {
    impl_->ask_to_end();
}
std::size_t ClientServer::registered() const {
    return impl_->registered();
}

}  // namespace css::client
