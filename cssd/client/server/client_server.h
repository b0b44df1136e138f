#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/client/server/cgroup.h"
#include "cssd/group/engine.h"

namespace css::client {

using GroupRequest = decltype(group::Request::what);

struct MemberRow {
    group::MemberId id;
    NodeNumber node;
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
    std::size_t data_size = 0;
};
struct MemberList {
    std::uint64_t serial = 0;
    std::vector<MemberRow> members;
};

/// What the group layer does for clients. Called on the server's thread; must not block.
struct GroupCalls {
    /// Of a registered client; answered by ClientServer::answer() with the same number.
    std::function<void(std::uint64_t client, std::uint64_t number, GroupRequest what)> ask;
    /// A registered client is a member of nothing any more.
    std::function<void(std::uint64_t client, group::LeaveReason reason)> gone;
    /// Nothing: this node is no member of the cluster yet.
    std::function<std::optional<MemberList>(const std::string& group)> members;
    /// Nothing: the same. Null: no such member.
    std::function<std::optional<group::Blob>(const std::string& group, group::MemberId)> data;
};

/// How the server hands clients to whoever will kill them (the guardians). Called on the server's
/// thread "clients"; must not block.
struct ClientServerOptions {
    std::string run_dir;  ///< Listens on run_dir/client.sock, open to every local user.
    /// Descriptor of the lease page, read only (LeasePageWriter::reader_fd()). Duplicated.
    int page_fd = -1;
    /// More connections are closed at once; ordinary users get three quarters of them.
    std::size_t clients_max = 16'384;
    /// Enlist this process (GuardianLink::enlist_client); answer by ClientServer::enlisted(). The
    /// descriptor is valid during the call only.
    std::function<void(std::uint64_t client, int pidfd)> enlist;
    /// The same for a whole cgroup, by a descriptor of its directory (perhaps O_PATH). It was
    /// inspected: see cgroup.h. Empty: cgroups are refused (-EOPNOTSUPP).
    std::function<void(std::uint64_t client, int directory, CgroupKind kind)> enlist_cgroup;
    /// The client acts no more (GuardianLink::dismiss_client).
    std::function<void(std::uint64_t client)> dismiss;
    /// Empty: there are no groups here (-EOPNOTSUPP).
    GroupCalls groups;
};

/// The socket at which programs ask for the lease page, register to be killed at fencing, and take
/// part in groups. One thread, "clients". A client that goes away without unregistering stays
/// enlisted, and a member of its groups, until its process has ended, or its cgroup is empty:
/// closing a socket is no proof that it acts no more.
class ClientServer {
public:
    /// Errors: kSystem (socket, bind, thread). A stale socket of a former daemon is replaced: call
    /// it only after the pid file or the guardians have shown that there is no other daemon.
    static Result<std::unique_ptr<ClientServer>> start(ClientServerOptions options);
    ~ClientServer();  ///< Closes all connections and removes the socket.
    ClientServer(const ClientServer&) = delete;
    ClientServer& operator=(const ClientServer&) = delete;
    ClientServer(ClientServer&&) = delete;
    ClientServer& operator=(ClientServer&&) = delete;

    // Any thread; none waits.

    /// The answer to `enlist`.
    void enlisted(std::uint64_t client, bool held);
    /// Clean leave: SIGTERM to every registered client, and no new registrations.
    void ask_to_end();
    /// Clients from now on see this page (a descriptor, read only; duplicated); those connected so
    /// far are let go: theirs was revoked. For the instance after one that was fenced.
    void renew_page(int page_fd);
    /// Registered and alive, as far as seen.
    [[nodiscard]] std::size_t registered() const;

    /// The answer to GroupCalls::ask: 0 or a negative errno.
    void answer(std::uint64_t client,
                std::uint64_t number,
                int status,
                const group::Answer& answer);
    /// Tells an event to these clients, those of them that want events.
    void deliver(const group::Delivery& delivery);
    /// Ends a registered client now; GroupCalls::gone says when no process of it is left.
    void kill(std::uint64_t client);
    /// The newest complete membership, as MembershipBody.
    void show_membership(std::uint64_t incarnation, std::vector<std::byte> body);
    /// This instance may act for the first time.
    void show_active();

private:
    class Impl;
    explicit ClientServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::client
