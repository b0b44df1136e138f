#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cssd/client/server/client_server_impl.h"

// Who is registered to be killed, and when it is no client any more.

namespace css::client {
namespace {

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

}  // namespace

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
    if (request.descriptor_lost) {
        return -EMFILE;
    }
    if (!request.descriptor.is_open() || request.sender.pid <= 0 ||
        pid_of(request.descriptor.get()) != request.sender.pid) {
        return -EPERM;
    }
    if (!watch(request.descriptor.get(), id | kProcessBit, EPOLLIN)) {
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
        return request.descriptor_lost ? -EMFILE : -EBADF;
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

void ClientServer::Impl::take(const Enlisted& post) {
    const auto found = clients_.find(post.client);
    if (found == clients_.end() || found->second.state != State::kRegistering) {
        return;
    }
    change_state(found->second, post.held ? State::kRegistered : State::kConnected);
    if (!post.held) {
        drop_target(found->second);
    }
    reply(post.client, Kind::kRegistered, post.held ? 0 : -EAGAIN);
}

int ClientServer::Impl::unregister(std::uint64_t id) {
    Client& client = clients_.at(id);
    if (client.state != State::kRegistered) {
        return -EINVAL;
    }
    if (options_.groups.gone) {
        options_.groups.gone(id, group::LeaveReason::kLeft);
    }
    change_state(client, State::kConnected);
    options_.dismiss(id);
    drop_target(client);
    return 0;
}

void ClientServer::Impl::process_ended(Clients::iterator client) {
    if (client->second.state == State::kRegistered && options_.groups.gone) {
        options_.groups.gone(client->first, group::LeaveReason::kGone);
    }
    change_state(client->second, State::kNew);  // The guardians see its end too.
    drop_target(client->second);
    drop_events(client->second);
    clients_.erase(client);
}

/// A cgroup whose connection is closed is a client for as long as a process is in it; one that was
/// killed is a member of its groups for as long. Asked from time to time: version 1 has nothing to
/// wait for.
void ClientServer::Impl::look_at_cgroups() {
    cgroups_to_watch_ = 0;
    for (auto next = clients_.begin(); next != clients_.end();) {
        const auto here = next++;
        Client& client = here->second;
        if (!client.cgroup.is_open() || (client.socket.is_open() && !client.killed)) {
            continue;
        }
        if (is_populated(client.cgroup.get(), client.cgroup_kind)) {
            ++cgroups_to_watch_;
            continue;
        }
        client.killed = false;
        if (client.state == State::kRegistered && options_.groups.gone) {
            options_.groups.gone(here->first, group::LeaveReason::kGone);
        }
        if (!client.socket.is_open()) {
            change_state(client, State::kNew);
            options_.dismiss(here->first);
            clients_.erase(here);
        }
    }
}

void ClientServer::Impl::take(const AskToEnd& /*post*/) {
    if (std::exchange(ending_, true)) {
        return;
    }
    for (const auto& [id, client] : clients_) {
        if (client.process.is_open()) {
            syscall(SYS_pidfd_send_signal, client.process.get(), SIGTERM, nullptr, 0);
        } else if (client.cgroup.is_open()) {
            signal_processes(client.cgroup.get(), SIGTERM);
        }
    }
}

/// The guardians hold the same open file: closing ours would not end its events here.
void ClientServer::Impl::drop_target(Client& client) {
    if (client.process.is_open()) {
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client.process.get(), nullptr);
    }
    client.process.reset();
    client.cgroup.reset();
    client.killed = false;
}

void ClientServer::Impl::change_state(Client& client, State state) {
    const std::lock_guard lock{mutex_};
    registered_ -= client.state == State::kRegistered ? 1 : 0;
    registered_ += state == State::kRegistered ? 1 : 0;
    client.state = state;
}

}  // namespace css::client
