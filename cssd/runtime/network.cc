#include "cssd/runtime/network.h"

#include <string>
#include <utility>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/groups.h"

namespace css::runtime {
namespace {

using config::LogLevel;

/// Lines about every heartbeat would drown the rest: this often, with a count.
constexpr Duration kTracePeriod = std::chrono::seconds{5};

}  // namespace

Result<std::unique_ptr<Network>> Network::bind(netbeat::NodesFile nodes,
                                               std::optional<NodeNumber> number,
                                               netbeat::Key key) {
    auto interconnect = netbeat::Interconnect::open(nodes, number);
    if (!interconnect) {
        return interconnect.error();
    }
    return std::unique_ptr<Network>{
        new Network{std::move(nodes), std::move(key), std::move(*interconnect)}};
}

Network::Network(netbeat::NodesFile nodes,
                 netbeat::Key key,
                 std::unique_ptr<netbeat::Interconnect> interconnect)
    : nodes_(std::move(nodes)), key_(std::move(key)), interconnect_(std::move(interconnect)) {}

Network::~Network() {
    stop();
}

Status Network::start(const ClusterGuid& cluster, CoreHost& core, Groups& groups, Log& log) {
    CSS_CHECK(!runs());
    sealer_.emplace(cluster, key_);
    sending_ = std::make_unique<netbeat::SendingThread>(
        *interconnect_,
        *sealer_,
        [this, &log](const netbeat::Heartbeat& sent, const netbeat::SendReport& report) {
            trace_sent(log, sent, report);
        });
    netbeat::DispatchCallbacks calls;
    calls.on_heartbeat = [&core, &log](const netbeat::Heartbeat& heartbeat) {
        core.step(core::HeartbeatReceived{&heartbeat});
        if (log.traces(LogLevel::kTrace)) {
            log.trace(LogLevel::kTrace,
                      "clssnmvDispatchThread",
                      "NHB from node " + std::to_string(heartbeat.sender.node.value()) +
                          " sequence " + std::to_string(heartbeat.sequence.value()));
        }
    };
    calls.on_message = [&groups](NodeNumber from, std::span<const std::byte> message) {
        groups.datagram(from, message);
    };
    calls.on_refused = [&log](netbeat::DatagramVerdict verdict,
                              const netbeat::Address& from,
                              std::uint64_t count) {
        log.trace(LogLevel::kWarning,
                  "clssnmvDispatchThread",
                  "NHB refused " + std::to_string(count) + " datagrams, the last from " +
                      netbeat::to_string(from) + ": " + std::string{netbeat::describe(verdict)});
    };
    dispatch_ = std::make_unique<netbeat::Dispatch>(*interconnect_, *sealer_, std::move(calls));
    if (const Status started = sending_->start(); !started) {
        return started.error();
    }
    return dispatch_->start();
}

void Network::stop() {
    if (dispatch_ != nullptr) {
        dispatch_->stop();
    }
    if (sending_ != nullptr) {
        sending_->stop();
    }
}

void Network::trace_sent(Log& log,
                         const netbeat::Heartbeat& sent,
                         const netbeat::SendReport& report) {
    ++sent_since_;
    if (report.not_sent > 0 && log.traces(LogLevel::kDebug)) {
        log.trace(LogLevel::kDebug,
                  "clssnmSendingThread",
                  "NHB " + std::to_string(report.not_sent) + " datagrams were not taken, errno " +
                      std::to_string(report.last_errno));
    }
    const Instant now = boot_now();
    if (now < traced_at_ + kTracePeriod || !log.traces(LogLevel::kDebug)) {
        return;
    }
    log.trace(LogLevel::kDebug,
              "clssnmSendingThread",
              "NHB sent " + std::to_string(sent_since_) + " status msgs to all nodes, reached " +
                  std::to_string(report.reached.count()) + ", sequence " +
                  std::to_string(sent.sequence.value()));
    sent_since_ = 0;
    traced_at_ = now;
}

}  // namespace css::runtime
