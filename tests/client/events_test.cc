#include "cssd/client/server/events.h"

#include <cstring>

#include <gtest/gtest.h>

#include "cssd/client/css.h"
#include "cssd/client/message.h"

namespace css::client {
namespace {

EventPointer published(std::uint64_t serial, const std::string& group = "g") {
    group::Event event;
    event.kind = group::EventKind::kPublished;
    event.group = group;
    event.serial = serial;
    event.member = group::MemberId{5};
    event.node = NodeNumber{1};
    event.data = group::blob({});
    return group_event(event);
}

/// What a client reads in the front's datagram.
template <class Integer>
Integer field(const EventQueue& queue, std::size_t offset) {
    std::array<unsigned char, sizeof(Integer)> bytes{};
    std::memcpy(bytes.data(), queue.front().datagram.data() + kMessageSize + offset, bytes.size());
    return get<Integer>(bytes.data());
}
std::uint32_t type(const EventQueue& queue) {
    return field<std::uint32_t>(queue, 0);
}
std::uint64_t serial(const EventQueue& queue) {
    return field<std::uint64_t>(queue, EventBody::kSerial);
}
std::uint64_t missed(const EventQueue& queue) {
    return field<std::uint64_t>(queue, EventBody::kMissed);
}

TEST(EventQueue, KeepsTheOrder) {
    EventQueue queue;
    EXPECT_TRUE(queue.empty());
    for (std::uint64_t s = 1; s <= 10; ++s) {
        queue.add(published(s));
    }
    for (std::uint64_t s = 1; s <= 10; ++s) {
        EXPECT_EQ(serial(queue), s);
        queue.pop();
    }
    EXPECT_TRUE(queue.empty());
}

/// Each group's events: those that found room, then how many did not, then the next ones.
TEST(EventQueue, WhatFindsNoRoomIsCountedByGroupAndToldInItsPlace) {
    EventQueue queue;
    for (std::uint64_t s = 1; s <= EventQueue::kEventsMax; ++s) {
        queue.add(published(s));
    }
    constexpr std::uint64_t kLast = EventQueue::kEventsMax;
    queue.add(published(kLast + 1));
    queue.add(published(77, "other"));
    queue.pop();  // Room again; but what was missed has not been told yet.
    queue.add(published(kLast + 2));
    queue.add(missed_event("g", kLast + 12, 10));
    for (std::uint64_t s = 2; s <= kLast; ++s) {
        EXPECT_EQ(serial(queue), s);
        queue.pop();
    }
    EXPECT_EQ(type(queue), std::uint32_t{CSS_EVENT_MISSED});
    EXPECT_EQ(missed(queue), 12U);
    EXPECT_EQ(serial(queue), kLast + 12);
    queue.add(published(kLast + 13));
    queue.pop();
    EXPECT_EQ(type(queue), std::uint32_t{CSS_EVENT_MISSED});
    EXPECT_EQ(missed(queue), 1U);
    EXPECT_EQ(queue.front().group, "other");
    queue.pop();
    EXPECT_EQ(serial(queue), kLast + 13);
    queue.pop();
    EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, MissedWithNothingBeforeItIsToldAtOnce) {
    EventQueue queue;
    queue.add_missed("g", 9, 3);
    EXPECT_EQ(missed(queue), 3U);
    queue.pop();
    EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, OnlyTheNewestMembershipWaits) {
    EventQueue queue;
    queue.add(published(1));
    queue.add(membership_event(7));
    queue.add(published(2));
    queue.add(membership_event(8));
    queue.pop();
    EXPECT_EQ(type(queue), std::uint32_t{CSS_EVENT_MEMBERSHIP});
    EXPECT_EQ(field<std::uint64_t>(queue, EventBody::kIncarnation), 8U);
    queue.pop();
    EXPECT_EQ(serial(queue), 2U);
    queue.pop();
    queue.add(membership_event(9));
    EXPECT_EQ(field<std::uint64_t>(queue, EventBody::kIncarnation), 9U);
}

}  // namespace
}  // namespace css::client
