#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "cssd/base/result.h"
#include "cssd/config/log_level.h"
#include "cssd/core/io.h"
#include "cssd/runtime/event.h"
#include "cssd/runtime/view.h"

/// The control socket `run_dir/cssd.sock`: AF_UNIX, SOCK_STREAM, mode 0666, one JSON document a
/// line each way. Who may change something is decided from the peer's credentials.
///
///     {"request":"view"}                                      the document of view.h
///     {"request":"history"}                                   {"ok":true,"events":[...]}
///     {"request":"groups"}                                    groups of clients, see groups()
///     {"request":"watch"}                                     {"ok":true}, then an event a line
///     {"request":"set","parameter":"misscount","value":"50"}  answered when complete everywhere
///     {"request":"unset","parameter":"misscount"}             likewise, to the default
///     {"request":"evict","node":"NAME"}                       answered when confirmed stopped
///     {"request":"stop"} {"request":"stop_cluster"}           answered when left; then the daemon
///     ends
///     {"request":"enable"} {"request":"disable"}              start_mode, now and later
///     {"request":"set_log","level":"2"}
///     {"request":"reload_nodes"}                              answered when all members have it
///     {"request":"replace_key"}                               answered when all members seal with
///     the key of their KEY_FILE.new; then "fingerprint" is that of the new one
///     {"request":"set_critical","value":"yes"}
///     {"request":"change_votedisks","add":[PATH],"remove":[PATH or FUID],"replace":false}
///     answered with "formatted", "added" and "removed" when the new set alone counts everywhere
///
/// Every answer has "ok"; a refusal has "error" with the line for the user.
namespace css::runtime {

/// Which voting files an administrator wants.
struct FileChange {
    std::vector<std::string> add;     ///< Absolute paths.
    std::vector<std::string> remove;  ///< FUIDs or absolute paths.
    bool replace = false;             ///< `add` is the whole new set.
};

/// What the control socket needs from the daemon. Its thread calls all of these; none may wait for
/// a disk, a voting file's thread or the network (save_key alone writes a file).
class ControlBackend {
public:
    ControlBackend() = default;
    virtual ~ControlBackend() = default;
    ControlBackend(const ControlBackend&) = delete;
    ControlBackend& operator=(const ControlBackend&) = delete;
    ControlBackend(ControlBackend&&) = delete;
    ControlBackend& operator=(ControlBackend&&) = delete;

    /// Answers at any time after the configuration was read, also without any voting file.
    [[nodiscard]] virtual DaemonView view() = 0;

    /// Newest last, bounded by the daemon.
    [[nodiscard]] virtual std::vector<Event> history() = 0;

    /// The answer to the request `groups`: "state" ("none" before this node is a member, "in
    /// order", "changing" while a record is taken up), sequencer, incarnation, position, and
    /// "groups" with name, owner, serial and "members" (member, node, number, pid, uid, data_size,
    /// kill_asked).
    [[nodiscard]] virtual nlohmann::json groups() = 0;

    using Completion = std::function<void(core::RequestResult)>;
    using Request = decltype(core::OperatorRequest::what);
    /// Gives the request to the core, under an id of the backend's choice. `done` is called once,
    /// from any thread, also before submit returns: with the result of the kRequestDone notice; for
    /// Leave and StopClusterNodes with kDone when this instance has left cleanly
    /// (Exit::Kind::kLeft), before the control server is ended; with kStopped when the instance
    /// ends otherwise. Without a core (voting files not found yet): Leave ends the daemon and is
    /// kDone; SetStandby and SetWeight are kept for the core to come and are kDone; everything else
    /// is kNotMember.
    virtual void submit(const Request& request, Completion done) = 0;

    /// Another set of voting files: formats what is new and has the core change the set. `done` is
    /// called once, from any thread, with the document that answers the client.
    using Answered = std::function<void(nlohmann::json)>;
    virtual void change_voting_files(const FileChange& change, Answered done) = 0;

    /// All members read the nodes file again. `done` as above.
    virtual void reload_nodes(Answered done) = 0;

    /// All members go on with the key that lies beside their key file. `done` as above.
    virtual void replace_key(Answered done) = 0;

    virtual void set_log_level(config::LogLevel level) = 0;

    /// Keeps a key of the configuration for later starts: config::save_key on the file in use. The
    /// request that makes it true now follows by submit().
    [[nodiscard]] virtual Status save_key(std::string_view key, std::string_view value) = 0;
};

struct ControlOptions {
    std::string run_dir{};
    std::size_t clients_max = 512;             ///< More are turned away at once.
    std::size_t request_size_max = 64U << 10;  ///< A longer line ends the connection.
    std::size_t output_size_max = 4U << 20;    ///< A client that lags further is dropped.
};

/// The thread `control`: one epoll loop for all clients. A client that reads slowly, sends nonsense
/// or waits for a slow request disturbs no other.
class ControlServer {
public:
    /// Binds the socket, taking the place of one that nobody serves any more, and starts the
    /// thread. `backend` must outlive the server. kConflict: another daemon serves this run_dir.
    static Result<std::unique_ptr<ControlServer>> start(const ControlOptions& options,
                                                        ControlBackend& backend);
    /// Sends what is due to clients for half a second at most, then closes everything and removes
    /// the socket. Completions called later are ignored.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    ControlServer(ControlServer&&) = delete;
    ControlServer& operator=(ControlServer&&) = delete;

    /// Sends the event to every watching client. Any thread; does not wait.
    void publish(const Event& event);

    /// Clients dropped because they read too slowly.
    [[nodiscard]] std::uint64_t slow_clients_dropped() const;

private:
    class Impl;
    explicit ControlServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::runtime
