#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cssd/base/result.h"
#include "cssd/client/server/cgroup.h"

namespace css::client {

/// How the server hands clients to whoever will kill them (the guardians). Called on the server's
/// thread "clients"; must not block.
struct ClientServerOptions {
    std::string run_dir;  ///< Listens on run_dir/client.sock, open to every local user.
    /// Descriptor of the lease page, read only (LeasePageWriter::reader_fd()). Duplicated.
    int page_fd = -1;
    std::size_t clients_max = 1024;  ///< More connections are closed at once.
    /// Enlist this process (GuardianLink::enlist_client); answer by ClientServer::enlisted(). The
    /// descriptor is valid during the call only.
    std::function<void(std::uint64_t client, int pidfd)> enlist;
    /// The same for a whole cgroup, by a descriptor of its directory (perhaps O_PATH). It was
    /// inspected: see cgroup.h. Empty: cgroups are refused (-EOPNOTSUPP).
    std::function<void(std::uint64_t client, int directory, CgroupKind kind)> enlist_cgroup;
    /// The client acts no more (GuardianLink::dismiss_client).
    std::function<void(std::uint64_t client)> dismiss;
};

/// The socket at which programs ask for the lease page and register to be killed at fencing. One
/// thread, "clients". A client that goes away without unregistering stays enlisted until its
/// process has ended, or its cgroup is empty: closing a socket is no proof that it acts no more.
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

    /// The answer to `enlist`. Any thread.
    void enlisted(std::uint64_t client, bool held);
    /// Clean leave: SIGTERM to every registered client, and no new registrations. Any thread.
    void ask_to_end();
    /// Registered and alive, as far as seen. Any thread.
    [[nodiscard]] std::size_t registered() const;

private:
    class Impl;
    explicit ClientServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::client
