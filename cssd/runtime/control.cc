#include "cssd/runtime/control.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/runtime/control_listen.h"
#include "cssd/runtime/control_mailbox.h"
#include "cssd/runtime/control_requests.h"
#include "cssd/runtime/control_socket.h"

namespace css::runtime {
namespace {

constexpr std::size_t kStackSize = 256U << 10;
constexpr std::chrono::milliseconds kFarewell{500};
/// A client that leaves this much unread is not read from until it has caught up.
constexpr std::size_t kOutputPause = 64U << 10;
constexpr std::size_t kReadSize = 16U << 10;

constexpr std::uint64_t kListenId = 0;
constexpr std::uint64_t kMailId = 1;
constexpr std::uint64_t kFirstClientId = 2;

Error failure(const std::string& what, int number) {
    return Error{.code = ErrorCode::kSystem,
                 .system_errno = number,
                 .message = what + ": " + std::strerror(number)};
}

struct Client {
    Fd fd;
    Privilege privilege = Privilege::kNone;
    std::string input;
    std::string output;
    bool input_ended = false;
    bool watches = false;
    std::uint32_t interest = 0;
    /// Set while a request is under way: makes its answer.
    std::function<nlohmann::json(const ControlMailbox::Completed&)> finish;

    [[nodiscard]] bool readable() const {
        return !finish && !input_ended && output.size() < kOutputPause;
    }
    /// A whole request waits in the input, and nothing keeps it from being answered.
    [[nodiscard]] bool asks() const {
        return !finish && !watches && input.find('\n') != std::string::npos;
    }
    [[nodiscard]] bool over() const { return input_ended && !finish && output.empty() && !watches; }
};

}  // namespace

/// Owned by the control thread from start() on, but for the mailbox and the counter.
class ControlServer::Impl {
public:
    Impl(ControlOptions options, ControlBackend& backend)
        : options_{std::move(options)}, backend_{backend} {}
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    Impl(Impl&&) = delete;
    Impl& operator=(Impl&&) = delete;

    Status start();
    void publish(const Event& event) { mail_->put(event); }
    [[nodiscard]] std::uint64_t slow_clients_dropped() const { return slow_dropped_; }

private:
    static void* thread_main(void* self);
    void run();
    void loop_once(int timeout_ms);
    void take_mail();
    void accept_clients();
    void admit(Fd socket);
    void serve(std::uint64_t id, std::uint32_t events);
    void read_from(std::uint64_t id, Client& client);
    /// Answers whole lines of the input until a request must wait. False: end the connection.
    bool answer_input(std::uint64_t id, Client& client);
    bool answer_line(std::uint64_t id, Client& client, std::string_view line);
    void complete(const ControlMailbox::Completed& completed);
    void broadcast(const Event& event);
    void drop_watchers();
    void reply(Client& client, const nlohmann::json& answer);
    /// False: the connection is broken.
    static bool send_output(Client& client);
    /// Answers and sends what can be, sets what to wait for, or ends the connection.
    void settle(std::uint64_t id);
    void say_farewell();

    ControlOptions options_;
    ControlBackend& backend_;
    std::shared_ptr<ControlMailbox> mail_ = std::make_shared<ControlMailbox>();
    Fd lock_;
    Fd listen_;
    Fd epoll_;
    Fd reserve_;  ///< Given up for a moment to turn clients away when descriptors run out.
    std::map<std::uint64_t, Client> clients_;
    std::uint64_t next_id_ = kFirstClientId;
    bool stopping_ = false;
    std::atomic<std::uint64_t> slow_dropped_ = 0;
    pthread_t thread_{};
    bool started_ = false;
};

Status ControlServer::Impl::start() {
    auto lock = lock_run_dir(options_.run_dir);
    if (!lock) {
        return lock.error();
    }
    lock_ = std::move(*lock);
    auto listening = listen_at(options_.run_dir);
    if (!listening) {
        return listening.error();
    }
    listen_ = std::move(*listening);
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    epoll_event listen_event{.events = EPOLLIN, .data = {.u64 = kListenId}};
    epoll_event mail_event{.events = EPOLLIN, .data = {.u64 = kMailId}};
    if (!mail_->usable() || epoll_.get() < 0 ||
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listen_.get(), &listen_event) != 0 ||
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, mail_->wake_fd(), &mail_event) != 0) {
        return failure("control socket", errno);
    }
    pthread_attr_t attributes;
    CSS_CHECK(::pthread_attr_init(&attributes) == 0);
    CSS_CHECK(::pthread_attr_setstacksize(&attributes, kStackSize) == 0);
    const int failed = ::pthread_create(&thread_, &attributes, thread_main, this);
    ::pthread_attr_destroy(&attributes);
    if (failed != 0) {
        return failure("control thread", failed);
    }
    started_ = true;
    return Done{};
}

ControlServer::Impl::~Impl() {
    if (started_) {
        mail_->put(ControlMailbox::Stop{});
        CSS_CHECK(::pthread_join(thread_, nullptr) == 0);
    }
    if (listen_.get() >= 0) {
        ::unlink(control_path(options_.run_dir).c_str());
    }
}

void* ControlServer::Impl::thread_main(void* self) {
    static_cast<void>(::pthread_setname_np(::pthread_self(), "control"));
    sigset_t all;
    sigfillset(&all);
    static_cast<void>(::pthread_sigmask(SIG_BLOCK, &all, nullptr));
    static_cast<Impl*>(self)->run();
    return nullptr;
}

void ControlServer::Impl::run() {
    while (!stopping_) {
        loop_once(-1);
    }
    say_farewell();
}

void ControlServer::Impl::loop_once(int timeout_ms) {
    std::array<epoll_event, 64> events{};
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events.at(static_cast<std::size_t>(i));
        if (event.data.u64 == kListenId) {
            accept_clients();
        } else if (event.data.u64 == kMailId) {
            take_mail();
        } else {
            serve(event.data.u64, event.events);
        }
    }
}

void ControlServer::Impl::take_mail() {
    for (const auto& item : mail_->take()) {
        if (const auto* completed = std::get_if<ControlMailbox::Completed>(&item)) {
            complete(*completed);
        } else if (const auto* event = std::get_if<Event>(&item)) {
            broadcast(*event);
        } else if (std::holds_alternative<ControlMailbox::EventsMissed>(item)) {
            drop_watchers();
        } else {
            stopping_ = true;
        }
    }
}

void ControlServer::Impl::accept_clients() {
    for (;;) {
        Fd socket{::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (socket.get() >= 0) {
            admit(std::move(socket));
            continue;
        }
        if (errno != EMFILE && errno != ENFILE) {
            return;
        }
        // Without a free descriptor the client would stay in the queue and wake this loop for ever.
        reserve_.reset(-1);
        const int turned_away = ::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        Fd{turned_away}.reset(-1);
        reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (turned_away < 0) {
            return;
        }
    }
}

void ControlServer::Impl::admit(Fd socket) {
    const Privilege privilege = privilege_of(socket.get());
    // Ordinary users never take the last places: an administrator always gets in.
    const std::size_t places = privilege == Privilege::kAdministrator
                                   ? options_.clients_max
                                   : options_.clients_max * 3 / 4;
    if (clients_.size() >= places) {
        return;
    }
    const std::uint64_t id = next_id_++;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) {
        return;
    }
    Client client;
    client.fd = std::move(socket);
    client.privilege = privilege;
    client.interest = EPOLLIN;
    clients_.emplace(id, std::move(client));
}

void ControlServer::Impl::serve(std::uint64_t id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) {
        return;  // Dropped by an earlier event of the same batch.
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        clients_.erase(found);
        return;
    }
    if ((events & EPOLLIN) != 0) {
        read_from(id, found->second);
    }
    settle(id);
}

void ControlServer::Impl::read_from(std::uint64_t id, Client& client) {
    std::array<char, kReadSize> part{};
    const ssize_t count = ::recv(client.fd.get(), part.data(), part.size(), 0);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            clients_.erase(id);
        }
        return;
    }
    client.input_ended = count == 0;
    if (client.watches) {
        return;  // It only listens now.
    }
    client.input.append(part.data(), static_cast<std::size_t>(count));
}

bool ControlServer::Impl::answer_input(std::uint64_t id, Client& client) {
    while (!client.finish && !client.watches && client.output.size() < kOutputPause) {
        const auto end = client.input.find('\n');
        if (end > options_.request_size_max &&
            (end != std::string::npos || client.input.size() > options_.request_size_max)) {
            reply(client, refusal("The request is too long."));
            return false;
        }
        if (end == std::string::npos) {
            return true;
        }
        const std::string line = client.input.substr(0, end);
        client.input.erase(0, end + 1);
        if (!answer_line(id, client, line)) {
            return false;
        }
    }
    return true;
}

bool ControlServer::Impl::answer_line(std::uint64_t id, Client& client, std::string_view line) {
    const auto request = nlohmann::json::parse(line, nullptr, false);
    if (!request.is_object()) {
        reply(client, refusal("The request is no JSON object."));
        return false;
    }
    Answer answer = handle_request(backend_, request, client.privilege);
    if (auto* ready = std::get_if<AnswerNow>(&answer)) {
        reply(client, ready->answer);
    } else if (auto* watch = std::get_if<AnswerWatch>(&answer)) {
        reply(client, watch->answer);
        client.watches = true;
    } else if (auto* whole = std::get_if<AnswerWhenDone>(&answer)) {
        client.finish = [](const ControlMailbox::Completed& completed) { return completed.answer; };
        whole->start([mail = mail_, id](nlohmann::json done) {
            mail->put(ControlMailbox::Completed{.client = id, .answer = std::move(done)});
        });
    } else {
        auto& waits = std::get<AnswerLater>(answer);
        client.finish = [finish =
                             std::move(waits.finish)](const ControlMailbox::Completed& completed) {
            return finish(completed.result);
        };
        backend_.submit(waits.request, [mail = mail_, id](core::RequestResult result) {
            mail->put(ControlMailbox::Completed{.client = id, .result = result});
        });
    }
    return true;
}

void ControlServer::Impl::complete(const ControlMailbox::Completed& completed) {
    const auto found = clients_.find(completed.client);
    if (found == clients_.end() || !found->second.finish) {
        return;  // It did not wait for the answer.
    }
    Client& client = found->second;
    const auto finish = std::exchange(client.finish, nullptr);
    reply(client, finish(completed));
    settle(completed.client);
}

void ControlServer::Impl::broadcast(const Event& event) {
    const nlohmann::json document = to_json(event);
    std::vector<std::uint64_t> watchers;
    for (auto& [id, client] : clients_) {
        if (client.watches) {
            reply(client, document);
            watchers.push_back(id);
        }
    }
    for (const auto id : watchers) {
        settle(id);
    }
}

void ControlServer::Impl::drop_watchers() {
    slow_dropped_ +=
        std::erase_if(clients_, [](const auto& entry) { return entry.second.watches; });
}

void ControlServer::Impl::reply(Client& client, const nlohmann::json& answer) {
    client.output += answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    client.output += '\n';
}

bool ControlServer::Impl::send_output(Client& client) {
    while (!client.output.empty()) {
        const ssize_t sent = ::send(client.fd.get(),
                                    client.output.data(),
                                    client.output.size(),
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            client.output.erase(0, static_cast<std::size_t>(sent));
        } else if (errno != EINTR) {
            return errno == EAGAIN;
        }
    }
    return true;
}

void ControlServer::Impl::settle(std::uint64_t id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) {
        return;
    }
    Client& client = found->second;
    bool alive = true;
    do {  // What was sent may have made room for the answer to a request that came long ago.
        alive = send_output(client) && answer_input(id, client);
    } while (alive && client.output.size() < kOutputPause && client.asks());
    if (!alive) {
        static_cast<void>(send_output(client));  // A refusal, as far as the socket takes it.
    }
    const bool slow = client.output.size() > options_.output_size_max;
    slow_dropped_ += slow ? 1 : 0;
    if (!alive || slow || client.over()) {
        clients_.erase(found);
        return;
    }
    const std::uint32_t wanted =
        (client.readable() ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
        (client.output.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
    if (wanted != client.interest) {
        epoll_event event{.events = wanted, .data = {.u64 = id}};
        CSS_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), &event) == 0);
        client.interest = wanted;
    }
}

/// Whoever waits for the end of a clean leave gets the answer before the connection ends.
void ControlServer::Impl::say_farewell() {
    listen_.reset(-1);
    ::unlink(control_path(options_.run_dir).c_str());
    take_mail();
    const auto until = std::chrono::steady_clock::now() + kFarewell;
    const auto unsent = [this] {
        return std::ranges::any_of(clients_,
                                   [](const auto& c) { return !c.second.output.empty(); });
    };
    while (unsent() && std::chrono::steady_clock::now() < until) {
        loop_once(10);
    }
    clients_.clear();
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const ControlOptions& options,
                                                            ControlBackend& backend) {
    auto impl = std::make_unique<Impl>(options, backend);
    if (auto started = impl->start(); !started) {
        return started.error();
    }
    return std::unique_ptr<ControlServer>{new ControlServer{std::move(impl)}};
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

ControlServer::~ControlServer() = default;

void ControlServer::publish(const Event& event) {
    impl_->publish(event);
}

std::uint64_t ControlServer::slow_clients_dropped() const {
    return impl_->slow_clients_dropped();
}

}  // namespace css::runtime
