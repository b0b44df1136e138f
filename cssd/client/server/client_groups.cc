#include <algorithm>
#include <cerrno>
#include <csignal>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/client/server/client_server_impl.h"
#include "cssd/group/bytes.h"

// What clients ask of groups and of the membership, and what they are told.

namespace css::client {
namespace {

std::uint64_t get_u64(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
        value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    }
    return value;
}

}  // namespace

/// QuestionBody, decoded.
struct ClientServer::Impl::QuestionView {
    std::uint64_t number = 0;
    group::MemberId member;
    std::string name;
    std::span<const std::byte> data;

    static std::optional<QuestionView> decode(std::span<const std::byte> body);
    /// What it asks of the group layer, if it is of one of the kinds that change something.
    [[nodiscard]] GroupRequest request(Kind kind, std::uint64_t client, CgroupOwner who) const;
};

std::optional<ClientServer::Impl::QuestionView> ClientServer::Impl::QuestionView::decode(
    std::span<const std::byte> body) {
    if (body.size() < QuestionBody::kName) {
        return std::nullopt;
    }
    const auto name_size = std::to_integer<std::size_t>(body[QuestionBody::kNameSize]);
    if (name_size > kNameSizeMax || body.size() < QuestionBody::kName + name_size) {
        return std::nullopt;
    }
    QuestionView question;
    question.number = get_u64(body);
    question.member = group::MemberId{get_u64(body.subspan(QuestionBody::kMember))};
    for (const std::byte b : body.subspan(QuestionBody::kName, name_size)) {
        question.name += std::to_integer<char>(b);
    }
    question.data = body.subspan(QuestionBody::kName + name_size);
    return question;
}

GroupRequest ClientServer::Impl::QuestionView::request(Kind kind,
                                                       std::uint64_t client,
                                                       CgroupOwner who) const {
    group::Blob bytes = group::blob({data.begin(), data.end()});
    if (kind == Kind::kGroupJoin) {
        return group::Join{
            name, client, static_cast<std::uint32_t>(who.pid), who.uid, std::move(bytes)};
    }
    if (kind == Kind::kGroupPublish) {
        return group::Publish{name, client, std::move(bytes)};
    }
    if (kind == Kind::kGroupLeave) {
        return group::Leave{name, client};
    }
    CSS_CHECK(kind == Kind::kGroupKill);
    return group::Kill{name, client, member};
}

void ClientServer::Impl::answer_question(std::uint64_t id, Request& request) {
    const auto question = QuestionView::decode(request.body());
    if (!question || clients_.at(id).state == State::kNew) {
        return close_socket(id);
    }
    if (request.message.kind == Kind::kEvents) {
        return answer_number(id, question->number, subscribe(id, request));
    }
    if (request.message.kind == Kind::kMembership) {
        return membership_ ? answer_number(id, question->number, 0, membership_->body)
                           : answer_number(id, question->number, -EAGAIN);
    }
    if (options_.groups.ask == nullptr) {
        return answer_number(id, question->number, -EOPNOTSUPP);
    }
    answer_group_question(id, request, *question);
}

void ClientServer::Impl::answer_group_question(std::uint64_t id,
                                               const Request& request,
                                               const QuestionView& question) {
    const Kind kind = request.message.kind;
    if (kind == Kind::kGroupMembers) {
        return answer_members(id, question.number, question.name);
    }
    if (kind == Kind::kGroupData) {
        const auto data = options_.groups.data(question.name, question.member);
        if (!data || *data == nullptr) {
            return answer_number(id, question.number, data ? -ENOENT : -EAGAIN);
        }
        return answer_number(id, question.number, 0, **data);
    }
    // Who cannot be killed may be no member.
    if (clients_.at(id).state != State::kRegistered) {
        return answer_number(id, question.number, -EPERM);
    }
    if (kind == Kind::kGroupJoin && ending_) {
        return answer_number(id, question.number, -EAGAIN);
    }
    options_.groups.ask(id, question.number, question.request(kind, id, request.sender));
}

void ClientServer::Impl::answer_members(std::uint64_t id,
                                        std::uint64_t number,
                                        const std::string& group) {
    const auto list = options_.groups.members(group);
    if (!list) {
        return answer_number(id, number, -EAGAIN);
    }
    group::Writer body;
    body.put(list->serial);
    for (const MemberRow& row : list->members) {
        body.put(row.id.value());
        body.put(row.node.value());
        body.put(row.pid);
        body.put(row.uid);
        body.put(static_cast<std::uint32_t>(row.data_size));
    }
    answer_number(id, number, 0, body.take());
}

void ClientServer::Impl::answer_number(std::uint64_t id,
                                       std::uint64_t number,
                                       int status,
                                       std::span<const std::byte> body) {
    group::Writer all;
    all.put(number);
    all.put(body);
    reply(id, Kind::kAnswer, status, all.take());
}

// ------------------------------------------------------------------------------------ events

int ClientServer::Impl::subscribe(std::uint64_t id, Request& request) {
    if (!request.descriptor.is_open()) {
        return request.descriptor_lost ? -EMFILE : -EBADF;
    }
    // Only a socket that takes datagrams of this kind and answers at once whether it does.
    int domain = 0;
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(request.descriptor.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
        getsockopt(request.descriptor.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        domain != AF_UNIX || type != SOCK_SEQPACKET) {
        return -EINVAL;
    }
    auto subscription = std::make_unique<Subscription>();
    // No event but the hang-up, as long as the kernel takes what is sent.
    if (!watch(request.descriptor.get(), id | kEventsBit, 0)) {
        return -EAGAIN;
    }
    subscription->socket = std::move(request.descriptor);
    drop_events(clients_.at(id));
    clients_.at(id).events = std::move(subscription);
    return 0;
}

void ClientServer::Impl::tell(std::uint64_t id, const EventPointer& event) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second.events == nullptr) {
        return;  // Nobody there, or it wants none.
    }
    found->second.events->queue.add(event);
    if (!found->second.events->waits_for_room) {
        send_events(id);
    }
}

/// As much as the kernel takes; the rest when it has room again.
void ClientServer::Impl::send_events(std::uint64_t id) {
    Client& client = clients_.at(id);
    if (client.events == nullptr) {
        return;
    }
    Subscription& events = *client.events;
    Io outcome = Io::kDone;
    while (!events.queue.empty() && outcome == Io::kDone) {
        outcome = send(events.socket.get(), events.queue.front().datagram, {});
        if (outcome == Io::kDone) {
            events.queue.pop();
        }
    }
    if (outcome == Io::kClosed) {
        return drop_events(client);
    }
    const bool waits = outcome == Io::kWouldBlock;
    if (waits != std::exchange(events.waits_for_room, waits)) {
        epoll_event want{};
        want.data.u64 = id | kEventsBit;
        want.events = waits ? EPOLLOUT : 0U;
        CSS_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, events.socket.get(), &want) == 0);
    }
}

/// The client may hold the same open file: closing ours would not end its events here.
void ClientServer::Impl::drop_events(Client& client) {
    if (client.events != nullptr) {
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client.events->socket.get(), nullptr);
        client.events.reset();
    }
}

void ClientServer::Impl::take(const Told& post) {
    for (const std::uint64_t client : post.clients) {
        tell(client, post.event);
    }
}

void ClientServer::Impl::take(const ToldAll& post) {
    for (const auto& [id, client] : clients_) {
        tell(id, post.event);
    }
}

void ClientServer::Impl::take(Membership& post) {
    membership_ = std::move(post);
    take(ToldAll{membership_event(membership_->incarnation)});
}

void ClientServer::Impl::take(const Answered& post) {
    if (clients_.contains(post.client)) {
        answer_number(post.client, post.number, post.status, post.body);
    }
}

void ClientServer::Impl::take(const Kill& post) {
    const auto found = clients_.find(post.client);
    if (found == clients_.end()) {
        return;
    }
    Client& client = found->second;
    if (client.process.is_open()) {
        syscall(SYS_pidfd_send_signal, client.process.get(), SIGKILL, nullptr, 0);
    } else if (client.cgroup.is_open()) {
        kill_cgroup(client.cgroup.get(), client.cgroup_kind);
        cgroups_to_watch_ += client.killed ? 0 : 1;
        client.killed = true;
    }
}

// ------------------------------------------------------------------------------ other threads

namespace {

std::vector<std::byte> body_of(const group::Answer& answer) {
    if (answer.member == group::MemberId{}) {
        return {};
    }
    group::Writer body;
    body.put(answer.member.value());
    body.put(answer.serial);
    return body.take();
}

}  // namespace

void ClientServer::answer(std::uint64_t client,
                          std::uint64_t number,
                          int status,
                          const group::Answer& answer) {
    impl_->post(Impl::Answered{
        client, number, status, status == 0 ? body_of(answer) : std::vector<std::byte>{}});
}

void ClientServer::deliver(const group::Delivery& delivery) {
    impl_->post(Impl::Told{delivery.clients, group_event(*delivery.event)});
}

void ClientServer::kill(std::uint64_t client) {
    impl_->post(Impl::Kill{client});
}

void ClientServer::show_membership(std::uint64_t incarnation, std::vector<std::byte> body) {
    impl_->post(Impl::Membership{incarnation, std::move(body)});
}

void ClientServer::show_active() {
    impl_->post(Impl::ToldAll{active_event()});
}

}  // namespace css::client
