#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "cssd/base/time.h"
#include "cssd/group/segment.h"

namespace css::group {

/// Messages from one instance to another and back, each once and in order, for as long as both are
/// in the same record; over a network that loses, doubles and reorders datagrams. Both ends begin a
/// new one with each record. Pure: the time is an argument, datagrams go in and out as values.
///
/// Sender: at most kWindow segments are on the way without having been acknowledged; the oldest of
/// them are sent again when nothing was acknowledged for a while (20 ms, doubling to 320 ms).
/// Receiver: acknowledges whatever comes, keeps what came too early within the window.
class Channel {
public:
    static constexpr std::size_t kWindow = 16;        ///< Segments.
    static constexpr std::size_t kBacklogMax = 32;    ///< Segments after which there is no room.
    static constexpr std::size_t kMessageMax = 8192;  ///< Bytes.
    static constexpr Duration kPatienceMin = std::chrono::milliseconds{20};
    static constexpr Duration kPatienceMax = std::chrono::milliseconds{320};

    Channel(Instance self, Instance peer, Incarnation incarnation)
        : self_(self), peer_(peer), incarnation_(incarnation) {}

    /// Whether send() should be called: it takes any message at any time, but what is behind the
    /// window only waits here.
    [[nodiscard]] bool has_room() const { return outgoing_.size() < kBacklogMax; }
    void send(const Bytes& message);

    /// A segment of exactly this channel, from the peer. Appends the messages that it completes.
    void receive(Instant now, Segment segment, std::vector<Bytes>& messages);

    /// What is to be sent now: new segments, old ones again, or a bare acknowledgement.
    void transmit(Instant now, std::vector<Segment>& segments);
    /// transmit() has something to do then; kForever: only after send() or receive().
    [[nodiscard]] Instant wake_at() const;

    /// Segments sent more than once.
    [[nodiscard]] std::uint64_t repeated() const { return repeated_; }

private:
    struct Piece {
        bool ends_message = false;
        Bytes payload;
    };
    /// Sent again at once: few, because mostly the acknowledgement was lost or the peer is away.
    static constexpr std::size_t kRepeatMax = 8;

    void acknowledge(Instant now, std::uint64_t expected);
    void take_in_order(std::vector<Bytes>& messages);
    [[nodiscard]] Segment segment_of(std::uint64_t sequence) const;

    Instance self_;
    Instance peer_;
    Incarnation incarnation_;

    std::deque<Piece> outgoing_;  ///< Not acknowledged; the first has sequence first_.
    std::uint64_t first_ = 1;
    std::uint64_t unsent_ = 1;  ///< The first sequence never sent.
    Duration patience_ = kPatienceMin;
    Instant repeat_at_ = kForever;
    std::uint64_t repeated_ = 0;

    std::map<std::uint64_t, Piece> early_;  ///< Within the window from expected_ on.
    std::uint64_t expected_ = 1;
    Bytes message_;  ///< Its pieces so far.
    bool heard_ = false;
    bool owes_acknowledgement_ = false;
};

}  // namespace css::group
