#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kill_block/guardian/acts.h"
#include "kill_block/guardian/keeper.h"
#include "kill_block/guardian/packet.h"

namespace css::guardian {

/// What the guardian could not get; reported to the daemon for its alert log.
struct Privileges {
    bool realtime = false;
    bool locked = false;
};

struct ServiceOptions {
    const char* name = nullptr;  ///< "cssdagent" or "cssdmonitor".
    int listener = -1;           ///< Listening SEQPACKET socket, non-blocking.
    const char* last_gasp_path = nullptr;
    Privileges privileges;
};

/// The guardian's loop: one thread, no allocation after start. Everything it decides is decided by
/// the Keeper; Acts carries out what is due.
class Service {
public:
    explicit Service(const ServiceOptions& options);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    Service(Service&&) = delete;
    Service& operator=(Service&&) = delete;

    /// False: epoll or the timer could not be made; errno says why.
    bool open();
    /// Serves until a shutdown is accepted.
    void run();

private:
    static constexpr std::size_t kConnectionsMax = 4;
    static constexpr std::size_t kNobody = kConnectionsMax;

    /// A daemon's connection. The first that said hello is served when the former daemon is gone.
    struct Connection {
        int socket = -1;
        int pidfd = -1;  ///< Set by hello.
        int orders_fd = -1;
        int page_fd = -1;
        Duration last_words{};
        std::uint64_t order = 0;  ///< Of the hello: who came first is served first.
    };

    void wait();
    void take_event(int fd);
    void take_gone(int pidfd);
    void reap();
    void accept_all();
    void read_all(std::size_t index);
    void answer(std::size_t index, Packet& packet);
    void answer_daemon(std::size_t index, Packet& packet);
    void answer_hello(std::size_t index, Packet& packet);
    Refusal answer_lease(const Message& request);
    void answer_enlist(std::size_t index, Packet& packet);
    void answer_former(std::size_t index, Packet& packet);
    Refusal answer_page(Packet& packet);
    Refusal answer_partner(Packet& packet);
    bool enlist(Packet& packet);
    void answer_ending(std::size_t index, const Message& request, Refusal refusal);
    void reply(std::size_t index, const Message& message);
    void close_connection(std::size_t index);
    void close_socket(std::size_t index);

    void carry_out();
    void set_timer(Instant at);
    void tell_clients_left();
    void tell_watchdog();
    void serve_next();
    void tell_waiting();
    [[nodiscard]] std::size_t left() const { return keeper_.left(acts_.situation()); }

    ServiceOptions options_;
    int epoll_ = -1;
    int timer_ = -1;
    int children_ = -1;  ///< signalfd of SIGCHLD.
    Instant timer_at_ = kForever;
    bool running_ = true;
    bool act_now_ = true;  ///< The daemon's pidfd or an earlier round left something to carry out.
    std::array<Connection, kConnectionsMax> connections_{};
    std::size_t daemon_ = kNobody;  ///< Whom we serve. Its socket may be closed: still served.
    std::uint64_t hellos_ = 0;
    int partner_ = -1;           ///< pidfd of the other guardian.
    std::uint64_t formers_ = 0;  ///< Numbers for clients of former daemons.
    Keeper keeper_;
    Acts acts_;
    std::size_t told_clients_ = SIZE_MAX;  ///< Last number told in an unasked kClients.
    bool told_former_ = false;
    std::size_t told_waiting_ = SIZE_MAX;
    WatchdogState told_watchdog_ = WatchdogState::kNone;
};

}  // namespace css::guardian
