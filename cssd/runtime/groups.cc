#include "cssd/runtime/groups.h"

#include <cerrno>
#include <string>
#include <utility>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/render_group.h"

namespace css::runtime {
namespace {

using config::LogLevel;

int errno_of(group::Result result) {
    switch (result) {
        case group::Result::kDone: return 0;
        case group::Result::kBusy: return -EAGAIN;
        case group::Result::kInvalid: return -EINVAL;
        case group::Result::kNotMember: return -ENOENT;
        case group::Result::kExists: return -EALREADY;
        case group::Result::kNotPermitted: return -EACCES;
        case group::Result::kFull: return -ENOSPC;
        case group::Result::kUnknown: return -ECANCELED;
    }
    return -EINVAL;
}

}  // namespace

Groups::Groups(Parts parts) : parts_(std::move(parts)) {}

Groups::~Groups() {
    stop();
}

Status Groups::start(client::ClientServer& clients) {
    clients_ = &clients;
    return thread_.start("groups", [this] { run(); });
}

void Groups::stop() {
    {
        const std::lock_guard lock{queue_mutex_};
        stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
}

// ------------------------------------------------------------------------------- the queue

void Groups::put(Item item) {
    {
        const std::lock_guard lock{queue_mutex_};
        if (std::holds_alternative<Datagram>(item)) {
            if (datagrams_queued_ >= kDatagramsMax) {
                ++datagrams_lost_;
                return;
            }
            ++datagrams_queued_;
        }
        queue_.push_back(std::move(item));
    }
    arrived_.notify_one();
}

void Groups::complete(const Record& record, Instance self) {
    if (record.lists(self)) {
        put(Completed{{record.incarnation, record.members, record.unique}, self});
    }
}

void Groups::instance_ended() {
    put(Ended{});
}

void Groups::datagram(NodeNumber from, std::span<const std::byte> bytes) {
    put(Datagram{from, {bytes.begin(), bytes.end()}});
}

client::GroupCalls Groups::calls() {
    client::GroupCalls calls;
    calls.ask = [this](std::uint64_t client, std::uint64_t number, client::GroupRequest what) {
        put(Asked{client, number, std::move(what)});
    };
    calls.gone = [this](std::uint64_t client, group::LeaveReason reason) {
        put(group::ClientGone{client, reason});
    };
    calls.members = [this](const std::string& name) { return members(name); };
    calls.data = [this](const std::string& name, group::MemberId member) {
        return data(name, member);
    };
    return calls;
}

/// Waits for items or for the engine's time. False: stopped.
bool Groups::take(std::deque<Item>& items) {
    const Instant wake_at = [this] {
        const std::lock_guard lock{engine_mutex_};
        return wake_at_;
    }();
    std::unique_lock lock{queue_mutex_};
    const auto ready = [this] { return stopping_ || !queue_.empty(); };
    if (wake_at == kForever) {
        arrived_.wait(lock, ready);
    } else {
        arrived_.wait_for(lock, wake_at - boot_now(), ready);
    }
    items = std::exchange(queue_, {});
    datagrams_queued_ = 0;
    return !stopping_;
}

void Groups::run() {
    std::deque<Item> items;
    while (take(items)) {
        const std::lock_guard lock{engine_mutex_};
        for (const Item& item : items) {
            std::visit([this](const auto& what) { take(what); }, item);
        }
        if (engine_ != nullptr) {
            engine_->step(boot_now(), group::Tick{});
            carry_out(engine_->take_output());
        }
    }
}

// ------------------------------------------------------------------------------- the engine

void Groups::take(const Completed& item) {
    if (engine_ == nullptr || self_ != item.self) {
        take(Ended{});
        group::EngineOptions options;
        options.self = self_ = item.self;
        engine_ = std::make_unique<group::Engine>(options);
    }
    engine_->step(boot_now(), item.view);
}

void Groups::take(const Ended& /*item*/) {
    engine_.reset();
    wake_at_ = kForever;
    for (const auto& [id, waiting] : std::exchange(waiting_, {})) {
        clients_->answer(waiting.client, waiting.number, -ECONNRESET, {});
    }
}

void Groups::take(const Datagram& item) {
    if (engine_ != nullptr) {
        engine_->step(boot_now(), group::DatagramReceived{item.from, item.bytes});
    }
}

void Groups::take(const Asked& item) {
    if (engine_ == nullptr) {
        clients_->answer(item.client, item.number, -EAGAIN, {});
        return;
    }
    const std::uint64_t id = ++last_request_;
    waiting_.emplace(id, Waiting{item.client, item.number});
    engine_->step(boot_now(), group::Request{id, item.what});
}

void Groups::take(const group::ClientGone& item) {
    if (engine_ != nullptr) {
        engine_->step(boot_now(), item);
    }
}

void Groups::carry_out(group::Output output) {
    wake_at_ = output.wake_at;
    for (group::Datagram& datagram : output.datagrams) {
        parts_.send(datagram.to, std::move(datagram.bytes));
    }
    for (const group::Answer& answer : output.answers) {
        const auto waiting = waiting_.extract(answer.request);
        CSS_CHECK(!waiting.empty());
        clients_->answer(
            waiting.mapped().client, waiting.mapped().number, errno_of(answer.result), answer);
    }
    for (const group::Delivery& delivery : output.deliveries) {
        clients_->deliver(delivery);
    }
    for (const group::Client client : output.kills) {
        clients_->kill(client);
    }
    for (const group::Notice& notice : output.notices) {
        tell(notice);
    }
    for (const NodeNumber node : output.evictions) {
        parts_.evict(node);
    }
}

void Groups::tell(const group::Notice& notice) {
    const LogLevel level = group_level(notice);
    if (!parts_.log.traces(level)) {
        return;
    }
    const Names names = parts_.names();
    if (const std::string alert = group_alert(notice, names); !alert.empty()) {
        parts_.log.alert(alert);
    }
    parts_.log.trace(level, "clssgmGroups", group_line(notice, names));
}

// ------------------------------------------------------------------------------- questions

std::optional<client::MemberList> Groups::members(const std::string& name) const {
    const std::lock_guard lock{engine_mutex_};
    if (engine_ == nullptr) {
        return std::nullopt;
    }
    client::MemberList list;
    if (const group::Group* group = engine_->state().group(name)) {
        list.serial = group->serial;
        for (const auto& [id, m] : group->members) {
            list.members.push_back({id, m.home.node, m.pid, m.uid, m.data->size()});
        }
    }
    return list;
}

std::optional<group::Blob> Groups::data(const std::string& name, group::MemberId member) const {
    const std::lock_guard lock{engine_mutex_};
    if (engine_ == nullptr) {
        return std::nullopt;
    }
    const group::Member* found = engine_->state().find(name, member);
    return found == nullptr ? group::Blob{} : found->data;
}

nlohmann::json Groups::view() const {
    const Names names = parts_.names();
    const std::lock_guard lock{engine_mutex_};
    nlohmann::json document{{"ok", true}, {"groups", nlohmann::json::array()}};
    if (engine_ == nullptr) {
        document["state"] = "none";
        return document;
    }
    const group::State& state = engine_->state();
    document["state"] = engine_->is_installed() ? "in order" : "changing";
    document["sequencer"] = names.node(engine_->sequencer());
    document["incarnation"] = state.incarnation().value();
    document["position"] = state.position().value();
    for (const auto& [name, group] : state.groups()) {
        nlohmann::json members = nlohmann::json::array();
        for (const auto& [id, m] : group.members) {
            members.push_back({{"member", id.value()},
                               {"node", names.node(m.home.node)},
                               {"number", m.home.node.value()},
                               {"pid", m.pid},
                               {"uid", m.uid},
                               {"data_size", m.data->size()},
                               {"kill_asked", m.kill_asked}});
        }
        document["groups"].push_back({{"name", name},
                                      {"owner", group.owner},
                                      {"serial", group.serial},
                                      {"members", std::move(members)}});
    }
    return document;
}

}  // namespace css::runtime
