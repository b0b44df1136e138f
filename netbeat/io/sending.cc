#include "netbeat/io/sending.h"

#include <array>
#include <utility>

namespace css::netbeat {

SendingThread::SendingThread(Interconnect& interconnect, const Sealer& sealer, OnSent on_sent)
    : interconnect_(interconnect), sealer_(sealer), on_sent_(std::move(on_sent)) {}

SendingThread::~SendingThread() {
    stop();
}

Status SendingThread::start() {
    return thread_.start("sending", [this] { run(); });
}

void SendingThread::post(const Heartbeat& heartbeat) {
    {
        const std::lock_guard lock{mutex_};
        if (stopping_) {
            return;
        }
        if (mailbox_) {
            ++replaced_;
        }
        mailbox_ = heartbeat;
    }
    posted_.notify_one();
}

void SendingThread::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    posted_.notify_one();
    thread_.join();
}

bool SendingThread::post_message(NodeNumber to, std::vector<std::byte> message) {
    {
        const std::lock_guard lock{mutex_};
        if (stopping_ || messages_.size() >= kMessagesMax) {
            return false;
        }
        messages_.push_back(Message{to, std::move(message)});
    }
    posted_.notify_one();
    return true;
}

/// The next thing to send, a heartbeat before any message. False: stopped, and nothing is left.
bool SendingThread::take(std::optional<Heartbeat>& heartbeat, std::optional<Message>& message) {
    std::unique_lock lock{mutex_};
    posted_.wait(lock, [this] { return mailbox_ || !messages_.empty() || stopping_; });
    heartbeat = std::exchange(mailbox_, std::nullopt);
    message.reset();
    if (!heartbeat && !messages_.empty()) {
        message = std::move(messages_.front());
        messages_.pop_front();
    }
    return heartbeat || message;
}

void SendingThread::run() {
    std::array<std::byte, kUnfragmentedMax> datagram{};
    std::optional<Heartbeat> heartbeat;
    std::optional<Message> message;
    while (take(heartbeat, message)) {
        if (message) {
            const std::size_t size =
                sealer_.seal_message(interconnect_.self(), message->bytes, datagram);
            interconnect_.send_to(message->to, std::span{datagram}.first(size));
            ++messages_sent_;
            continue;
        }
        const std::size_t size = sealer_.seal(*heartbeat, datagram);
        const SendReport report = interconnect_.send(std::span{datagram}.first(size));
        ++sent_;
        if (on_sent_) {
            on_sent_(*heartbeat, report);
        }
    }
}

}  // namespace css::netbeat
