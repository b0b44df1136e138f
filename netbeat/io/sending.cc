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

void SendingThread::run() {
    std::array<std::byte, kDatagramSizeMax> datagram{};
    Heartbeat heartbeat;
    while (true) {
        {
            std::unique_lock lock{mutex_};
            posted_.wait(lock, [this] { return mailbox_ || stopping_; });
            if (!mailbox_) {
                return;
            }
            heartbeat = *mailbox_;
            mailbox_.reset();
        }
        const std::size_t size = sealer_.seal(heartbeat, datagram);
        const SendReport report = interconnect_.send(std::span{datagram}.first(size));
        ++sent_;
        if (on_sent_) {
            on_sent_(heartbeat, report);
        }
    }
}

}  // namespace css::netbeat
