#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cssd/group/types.h"

/// What clients are told, and what becomes of it when they do not read.
namespace css::client {

/// One event, as the datagram of kind kEvent that all who are told get.
struct EventMessage {
    enum class About : std::uint8_t {
        kGroup,
        kMembership,  ///< Of several only the newest is of interest.
        kOther,
    };
    About about = About::kOther;
    std::string group;
    std::uint64_t serial = 0;
    std::uint64_t events = 1;  ///< So many of the group's: more than one in a 'missed'.
    std::vector<std::byte> datagram;
};
using EventPointer = std::shared_ptr<const EventMessage>;

[[nodiscard]] EventPointer group_event(const group::Event& event);
[[nodiscard]] EventPointer missed_event(const std::string& group,
                                        std::uint64_t serial,
                                        std::uint64_t events);
[[nodiscard]] EventPointer membership_event(std::uint64_t incarnation);
[[nodiscard]] EventPointer active_event();

/// What waits for one client. When kEventsMax wait, events of groups are counted instead, and each
/// group's told as one 'missed' once the client has read the rest: so it is told everything in
/// order, or how much it missed, at the place where it missed it.
class EventQueue {
public:
    static constexpr std::size_t kEventsMax = 256;

    void add(const EventPointer& event);
    /// Counted as missed without a try.
    void add_missed(const std::string& group, std::uint64_t serial, std::uint64_t events);
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    [[nodiscard]] const EventMessage& front() const { return *waiting_.front(); }
    void pop();

private:
    struct Missed {
        std::uint64_t serial = 0;
        std::uint64_t events = 0;
    };
    void tell_missed();

    std::deque<EventPointer> waiting_;
    std::map<std::string, Missed> missed_;
};

}  // namespace css::client
