#include "cssd/client/server/events.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "cssd/base/check.h"
#include "cssd/client/css.h"
#include "cssd/client/message.h"

namespace css::client {
namespace {

static_assert(static_cast<unsigned>(group::LeaveReason::kLeft) == CSS_REASON_LEFT);
static_assert(static_cast<unsigned>(group::LeaveReason::kGone) == CSS_REASON_GONE);
static_assert(static_cast<unsigned>(group::LeaveReason::kKilled) == CSS_REASON_KILLED);
static_assert(static_cast<unsigned>(group::LeaveReason::kNode) == CSS_REASON_NODE);
static_assert(group::kNameMax == kNameSizeMax);
static_assert(group::kDataMax == kDataSizeMax);

/// Header and EventBody; data follows.
class Body {
public:
    explicit Body(std::uint32_t type, std::size_t data_size) {
        const MessageBytes header = encode(Kind::kEvent, 0, EventBody::kSize + data_size);
        bytes_.resize(kMessageSize + EventBody::kSize);
        std::ranges::copy(std::as_bytes(std::span{header.at}), bytes_.begin());
        set(0, type);
    }
    template <class Integer>
    void set(std::size_t offset, Integer value) {
        for (std::size_t i = 0; i < sizeof value; ++i) {
            bytes_[kMessageSize + offset + i] =
                static_cast<std::byte>((std::uint64_t{value} >> (8 * i)) & 0xFF);
        }
    }
    void set_name(const std::string& name) {
        CSS_CHECK(name.size() <= kNameSizeMax);
        std::ranges::copy(std::as_bytes(std::span{name}),
                          bytes_.begin() + kMessageSize + EventBody::kName);
    }
    void append(const group::Blob& data) {
        bytes_.insert(bytes_.end(), data->begin(), data->end());
    }
    [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

std::uint32_t type_of(group::EventKind kind) {
    switch (kind) {
        case group::EventKind::kJoined: return CSS_EVENT_JOINED;
        case group::EventKind::kLeft: return CSS_EVENT_LEFT;
        case group::EventKind::kPublished: return CSS_EVENT_PUBLISHED;
        case group::EventKind::kMissed: return CSS_EVENT_MISSED;
    }
    return 0;
}

EventPointer message_of(EventMessage message, Body& body) {
    message.datagram = body.take();
    return std::make_shared<const EventMessage>(std::move(message));
}

}  // namespace

EventPointer group_event(const group::Event& event) {
    if (event.kind == group::EventKind::kMissed) {
        return missed_event(event.group, event.serial, event.missed);
    }
    Body body{type_of(event.kind), event.data == nullptr ? 0 : event.data->size()};
    if (event.kind == group::EventKind::kLeft) {
        body.set(EventBody::kReason, static_cast<std::uint32_t>(event.reason));
    }
    body.set(EventBody::kNode, event.node.value());
    body.set(EventBody::kPid, event.pid);
    body.set(EventBody::kSerial, event.serial);
    body.set(EventBody::kMember, event.member.value());
    body.set_name(event.group);
    if (event.data != nullptr) {
        body.append(event.data);
    }
    return message_of({EventMessage::About::kGroup, event.group, event.serial, 1, {}}, body);
}

EventPointer missed_event(const std::string& group, std::uint64_t serial, std::uint64_t events) {
    Body body{CSS_EVENT_MISSED, 0};
    body.set(EventBody::kSerial, serial);
    body.set(EventBody::kMissed, events);
    body.set_name(group);
    return message_of({EventMessage::About::kGroup, group, serial, events, {}}, body);
}

EventPointer membership_event(std::uint64_t incarnation) {
    Body body{CSS_EVENT_MEMBERSHIP, 0};
    body.set(EventBody::kIncarnation, incarnation);
    return message_of({EventMessage::About::kMembership, {}, 0, 1, {}}, body);
}

EventPointer active_event() {
    Body body{CSS_EVENT_ACTIVE, 0};
    return message_of({}, body);
}

void EventQueue::add(const EventPointer& event) {
    switch (event->about) {
        case EventMessage::About::kGroup:
            if (!missed_.empty() || waiting_.size() >= kEventsMax) {
                add_missed(event->group, event->serial, event->events);
                return;
            }
            break;
        case EventMessage::About::kMembership: {
            const auto former = std::ranges::find_if(waiting_, [](const EventPointer& waiting) {
                return waiting->about == EventMessage::About::kMembership;
            });
            if (former != waiting_.end()) {
                *former = event;
                return;
            }
            break;
        }
        case EventMessage::About::kOther: break;
    }
    waiting_.push_back(event);
}

void EventQueue::add_missed(const std::string& group, std::uint64_t serial, std::uint64_t events) {
    Missed& missed = missed_[group];
    missed.serial = serial;
    missed.events += events;
    if (waiting_.empty()) {
        tell_missed();
    }
}

void EventQueue::pop() {
    CSS_CHECK(!waiting_.empty());
    waiting_.pop_front();
    if (waiting_.empty()) {
        tell_missed();
    }
}

void EventQueue::tell_missed() {
    for (const auto& [group, missed] : missed_) {
        waiting_.push_back(missed_event(group, missed.serial, missed.events));
    }
    missed_.clear();
}

}  // namespace css::client
