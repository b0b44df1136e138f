#include "kill_block/link/peer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cssd/base/check.h"

namespace css::guardian {

std::string describe(WatchdogState state, std::uint32_t detail, const std::string& device) {
    switch (state) {
        case WatchdogState::kNone: return device + ": not armed";
        case WatchdogState::kArmed:
            return device + ": armed with a time-out of " + std::to_string(detail) + " s";
        case WatchdogState::kNotOpened:
            return device + " cannot be opened: " + std::strerror(static_cast<int>(detail));
        case WatchdogState::kNotSet:
            return "the time-out of " + device +
                   " cannot be set: " + std::strerror(static_cast<int>(detail));
        case WatchdogState::kOther:
            return device + " does not take the time-out that reboottime asks for; it says " +
                   std::to_string(detail) + " s";
        case WatchdogState::kTooShort: return "reboottime is too short for " + device;
        case WatchdogState::kNotFed:
            return device + " cannot be fed: " + std::strerror(static_cast<int>(detail));
    }
    return device;
}

void Peer::connect(UniqueFd socket) {
    CSS_CHECK(socket.is_open());
    socket_ = std::move(socket);
}

void Peer::put_lease(Message lease) {
    CSS_CHECK(lease.kind == Kind::kLease);
    if (lease_.has_value() && lease_->instance == lease.instance) {
        // What was said and not yet sent must not be taken back by being replaced.
        if (lease_->has(kFlagFinal) && !lease.has(kFlagReleased)) {
            lease.time = std::min(lease.time, lease_->time);
        }
        lease.flags |= lease_->flags & (kFlagArmed | kFlagReleased | kFlagFinal);
    }
    lease_ = lease;
}

bool Peer::put(const Message& request, std::shared_ptr<const UniqueFd> descriptor) {
    if (queue_.size() >= kQueueMax) {
        return false;
    }
    queue_.push_back(Request{request, std::move(descriptor)});
    return true;
}

void Peer::owe(Instant now) {
    ++owed_;
    if (owes_since_ == kForever) {
        owes_since_ = now;
    }
}

/// The lease first: an earlier end is what hurries.
bool Peer::flush(Instant now) {
    while (welcome_ && socket_.is_open() && owed_ < kOwedMax &&
           (lease_.has_value() || !queue_.empty())) {
        const bool is_lease = lease_.has_value();
        const Message& message = is_lease ? *lease_ : queue_.front().message;
        std::array<int, 1> descriptors{-1};
        std::span<const int> with{};
        if (!is_lease && queue_.front().descriptor != nullptr) {
            descriptors[0] = queue_.front().descriptor->get();
            with = descriptors;
        }
        switch (send_packet(socket_.get(), message, with)) {
            case Io::kDone: owe(now); break;
            case Io::kWouldBlock: return true;  // It owes answers, or none of this is true.
            case Io::kClosed: return false;
        }
        if (is_lease) {
            lease_.reset();
        } else {
            queue_.pop_front();
        }
    }
    return true;
}

Peer::News Peer::take(Instant now, const Message& message) {
    News news;
    if (message.has(kFlagAnswer)) {
        owed_ -= owed_ > 0 ? 1 : 0;
        owes_since_ = owed_ > 0 ? now : kForever;
    }
    switch (message.kind) {
        case Kind::kWaiting:
            clients_ = message.count;
            news.waiting = message;
            break;
        case Kind::kWelcome:
            welcome_ = true;
            clients_ = 0;
            missing_privileges_ =
                message.flags & (kFlagNotRealtime | kFlagNotLocked | kFlagNoReset);
            news.welcomed = true;
            break;
        case Kind::kAcknowledge:
            if (message.serial > 0) {
                acknowledged_instance_ = message.instance;
                acknowledged_serial_ = message.serial;
                news.acknowledged = true;
            }
            break;
        case Kind::kRefuse: news.refused = message; break;
        case Kind::kEnlisted: news.enlisted = message; break;
        case Kind::kClients:
            clients_ = message.count;
            clients_gone_ = message.count == 0;
            news.clients_gone = clients_gone_;
            break;
        case Kind::kWatchdog: news.watchdog = message; break;
        case Kind::kFormer:
        case Kind::kPage:
        case Kind::kReset:
        case Kind::kPartner:
        case Kind::kHello:
        case Kind::kLease:
        case Kind::kFence:
        case Kind::kDrain:
        case Kind::kEnlist:
        case Kind::kDismiss:
        case Kind::kShutdown: break;  // Not a guardian's to say.
    }
    return news;
}

}  // namespace css::guardian
