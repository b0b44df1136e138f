#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "cssd/base/shell_thread.h"
#include "cssd/base/unique_fd.h"
#include "cssd/client/server/client_server.h"
#include "cssd/client/server/connection.h"
#include "cssd/client/server/events.h"

namespace css::client {

class ClientServer::Impl {
public:
    explicit Impl(ClientServerOptions options) : options_(std::move(options)) {}
    ~Impl();
    Status open();

    // What other threads post.
    struct Enlisted {
        std::uint64_t client = 0;
        bool held = false;
    };
    struct Answered {
        std::uint64_t client = 0;
        std::uint64_t number = 0;
        int status = 0;
        std::vector<std::byte> body;
    };
    struct Told {
        std::vector<std::uint64_t> clients;
        EventPointer event;
    };
    struct ToldAll {
        EventPointer event;
    };
    struct Kill {
        std::uint64_t client = 0;
    };
    struct Membership {
        std::uint64_t incarnation = 0;
        std::vector<std::byte> body;
    };
    struct AskToEnd {};
    struct Page {
        UniqueFd descriptor;
    };
    using Post = std::variant<Enlisted, Answered, Told, ToldAll, Kill, Membership, AskToEnd, Page>;
    void post(Post post);
    [[nodiscard]] std::size_t registered() const;

private:
    enum class State : std::uint8_t { kNew, kConnected, kRegistering, kRegistered };
    /// Where a client wants events.
    struct Subscription {
        UniqueFd socket;
        EventQueue queue;
        bool waits_for_room = false;  ///< The kernel takes no more: EPOLLOUT is asked for.
    };
    struct Client {
        UniqueFd socket;   ///< Closed: the program disconnected, its process lives.
        UniqueFd process;  ///< Of a client that is a process.
        UniqueFd cgroup;   ///< Of a client that is a cgroup.
        CgroupKind cgroup_kind = CgroupKind::kV2;
        State state = State::kNew;
        bool killed = false;  ///< A cgroup: its being empty ends its memberships.
        std::unique_ptr<Subscription> events;

        [[nodiscard]] bool is_enlisted() const { return process.is_open() || cgroup.is_open(); }
    };
    using Clients = std::map<std::uint64_t, Client>;
    struct QuestionView;  ///< QuestionBody, decoded.
    static constexpr std::size_t kPostsMax = 65'536;
    // In the key of an event of epoll, beside the client.
    static constexpr std::uint64_t kProcessBit = std::uint64_t{1} << 63;
    static constexpr std::uint64_t kEventsBit = std::uint64_t{1} << 62;

    // client_server.cc: connections and registrations
    void run();
    bool watch(int fd, std::uint64_t key, std::uint32_t events);
    void wake() const;
    void take_event(std::uint64_t key, std::uint32_t events);
    void accept_all();
    bool admit(UniqueFd socket);
    void read_some(std::uint64_t id);
    void answer(std::uint64_t id, Request& request);
    int begin_registration(std::uint64_t id, Request& request);
    int begin_cgroup_registration(std::uint64_t id, Request& request);
    int unregister(std::uint64_t id);
    void look_at_cgroups();
    void take_posts();
    void reply(std::uint64_t id,
               Kind kind,
               int status,
               std::span<const std::byte> body = {},
               int descriptor = -1);
    void close_socket(std::uint64_t id);
    void drop_target(Client& client);
    void process_ended(Clients::iterator client);
    void change_state(Client& client, State state);
    void take(const Enlisted& post);
    void take(const AskToEnd& post);
    void take(Page& post);

    // client_groups.cc: questions and events
    void take(const Answered& post);
    void take(const Told& post);
    void take(const ToldAll& post);
    void take(const Kill& post);
    void take(Membership& post);
    void answer_question(std::uint64_t id, Request& request);
    void answer_group_question(std::uint64_t id,
                               const Request& request,
                               const QuestionView& question);
    void answer_members(std::uint64_t id, std::uint64_t number, const std::string& group);
    int subscribe(std::uint64_t id, Request& request);
    void answer_number(std::uint64_t id,
                       std::uint64_t number,
                       int status,
                       std::span<const std::byte> body = {});
    void tell(std::uint64_t id, const EventPointer& event);
    void send_events(std::uint64_t id);
    void drop_events(Client& client);

    ClientServerOptions options_;
    std::string path_;
    UniqueFd page_;
    UniqueFd listener_;
    UniqueFd reserve_;  ///< Given up for a moment when there is no other descriptor left.
    UniqueFd epoll_;
    UniqueFd wakeup_;
    // Of the thread alone.
    Clients clients_;
    std::size_t cgroups_to_watch_ = 0;  ///< Killed, or registered without a connection.
    std::uint64_t next_ = 0;
    bool ending_ = false;
    std::optional<Membership> membership_;

    mutable std::mutex mutex_;  ///< Guards what other threads touch, below.
    std::vector<Post> posts_;
    /// Events beyond kPostsMax: how many of which group, by client.
    std::map<std::pair<std::uint64_t, std::string>, std::pair<std::uint64_t, std::uint64_t>>
        missed_;
    std::size_t registered_ = 0;
    bool stopping_ = false;
    ShellThread thread_;
};

}  // namespace css::client
