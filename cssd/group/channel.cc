#include "cssd/group/channel.h"

#include <algorithm>
#include <utility>

#include "cssd/base/check.h"

namespace css::group {

void Channel::send(const Bytes& message) {
    CSS_CHECK(!message.empty());
    CSS_CHECK(message.size() <= kMessageMax);
    for (std::size_t at = 0; at < message.size(); at += kSegmentPayloadMax) {
        const std::size_t end = std::min(message.size(), at + kSegmentPayloadMax);
        outgoing_.push_back(Piece{end == message.size(),
                                  Bytes{message.begin() + static_cast<std::ptrdiff_t>(at),
                                        message.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
}

void Channel::receive(Instant now, Segment segment, std::vector<Bytes>& messages) {
    CSS_CHECK(segment.sender == peer_);
    CSS_CHECK(segment.receiver == self_);
    CSS_CHECK(segment.incarnation == incarnation_);
    if (!std::exchange(heard_, true) && unsent_ > first_) {
        // The peer has come into this record only now: what was sent before it did not count.
        patience_ = kPatienceMin;
        repeat_at_ = now;
    }
    acknowledge(now, segment.expected);
    if (segment.sequence == 0) {
        return;
    }
    owes_acknowledgement_ = true;
    if (segment.sequence >= expected_ && segment.sequence < expected_ + kWindow) {
        early_.try_emplace(segment.sequence,
                           Piece{segment.ends_message, std::move(segment.payload)});
        take_in_order(messages);
    }
}

void Channel::acknowledge(Instant now, std::uint64_t expected) {
    if (expected <= first_ || expected > unsent_) {
        return;  // Nothing new, or nonsense.
    }
    outgoing_.erase(outgoing_.begin(),
                    outgoing_.begin() + static_cast<std::ptrdiff_t>(expected - first_));
    first_ = expected;
    patience_ = kPatienceMin;
    repeat_at_ = first_ == unsent_ ? kForever : now + patience_;
}

void Channel::take_in_order(std::vector<Bytes>& messages) {
    for (auto piece = early_.find(expected_); piece != early_.end();
         piece = early_.find(expected_)) {
        message_.insert(message_.end(), piece->second.payload.begin(), piece->second.payload.end());
        if (message_.size() > kMessageMax) {
            message_.clear();  // No sender of ours makes one: what is left will not decode.
        }
        if (piece->second.ends_message) {
            messages.push_back(std::exchange(message_, {}));
        }
        early_.erase(piece);
        ++expected_;
    }
}

Segment Channel::segment_of(std::uint64_t sequence) const {
    const Piece& piece = outgoing_.at(sequence - first_);
    Segment segment;
    segment.sender = self_;
    segment.receiver = peer_;
    segment.incarnation = incarnation_;
    segment.sequence = sequence;
    segment.expected = expected_;
    segment.ends_message = piece.ends_message;
    segment.payload = piece.payload;
    return segment;
}

void Channel::transmit(Instant now, std::vector<Segment>& segments) {
    const std::size_t before = segments.size();
    if (now >= repeat_at_) {
        const std::uint64_t end = std::min(unsent_, first_ + kRepeatMax);
        for (std::uint64_t sequence = first_; sequence < end; ++sequence) {
            segments.push_back(segment_of(sequence));
            ++repeated_;
        }
        repeat_at_ = now + patience_;
        patience_ = std::min(2 * patience_, kPatienceMax);
    }
    const std::uint64_t end = first_ + std::min(outgoing_.size(), kWindow);
    for (; unsent_ < end; ++unsent_) {
        segments.push_back(segment_of(unsent_));
        if (repeat_at_ == kForever) {
            repeat_at_ = now + patience_;
        }
    }
    if (std::exchange(owes_acknowledgement_, false) && segments.size() == before) {
        Segment bare;
        bare.sender = self_;
        bare.receiver = peer_;
        bare.incarnation = incarnation_;
        bare.expected = expected_;
        segments.push_back(std::move(bare));
    }
}

Instant Channel::wake_at() const {
    return repeat_at_;
}

}  // namespace css::group
