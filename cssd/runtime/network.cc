#include "cssd/runtime/network.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/groups.h"

namespace css::runtime {
namespace {

using config::LogLevel;

static_assert(netbeat::kDatagramSizeMax <= guardian::kFarewellSizeMax);
static_assert(sizeof(netbeat::SocketAddress) == sizeof(guardian::FarewellAddress));
static_assert(netbeat::kInterconnectsMax * (kNodesMax - 1) <= guardian::kTargetsMax);

/// Lines about every heartbeat would drown the rest: this often, with a count.
constexpr Duration kTracePeriod = std::chrono::seconds{5};

}  // namespace

Result<std::unique_ptr<Network>> Network::bind(netbeat::NodesFile nodes,
                                               std::optional<NodeNumber> number,
                                               const netbeat::Key& key) {
    auto interconnect = netbeat::Interconnect::open(nodes, number);
    if (!interconnect) {
        return interconnect.error();
    }
    return std::unique_ptr<Network>{new Network{std::move(nodes), key, std::move(*interconnect)}};
}

Network::Network(netbeat::NodesFile nodes,
                 const netbeat::Key& key,
                 std::unique_ptr<netbeat::Interconnect> interconnect)
    : nodes_(std::make_shared<const netbeat::NodesFile>(std::move(nodes))),
      keys_(std::make_shared<netbeat::KeyRing>(key)),
      interconnect_(std::move(interconnect)) {}

Network::~Network() {
    stop();
}

std::shared_ptr<const netbeat::NodesFile> Network::nodes() const {
    const std::lock_guard lock{nodes_mutex_};
    return nodes_;
}

Status Network::take(netbeat::NodesFile nodes) {
    if (const Status taken = interconnect_->reload(nodes); !taken) {
        return taken.error();
    }
    auto fresh = std::make_shared<const netbeat::NodesFile>(std::move(nodes));
    const std::lock_guard lock{nodes_mutex_};
    nodes_ = std::move(fresh);
    return Done{};
}

void Network::post_message(NodeNumber to, std::vector<std::byte> message) {
    if (sending_ != nullptr) {
        static_cast<void>(sending_->post_message(to, std::move(message)));
    }
}

Status Network::start(const ClusterGuid& cluster,
                      CoreHost& core,
                      Log& log,
                      guardian::OrdersWriter& orders,
                      Calls calls) {
    CSS_CHECK(!runs());
    calls_ = std::move(calls);
    std::ranges::fill(heard_at_, boot_now());
    sealer_.emplace(cluster, keys_);
    sending_ = std::make_unique<netbeat::SendingThread>(
        *interconnect_,
        *sealer_,
        [this, &log, &orders](const netbeat::Heartbeat& sent, const netbeat::SendReport& report) {
            leave_farewells(orders, sent);
            trace_sent(log, sent, report);
        });
    netbeat::DispatchCallbacks taken;
    taken.on_heartbeat = [this, &core, &log](const netbeat::Heartbeat& heartbeat) {
        heard(core, log, heartbeat);
    };
    taken.on_message = calls_.on_message;
    taken.on_refused = [this, &log](netbeat::DatagramVerdict verdict,
                                    const netbeat::Address& from,
                                    std::uint64_t count) { refused(log, verdict, from, count); };
    dispatch_ = std::make_unique<netbeat::Dispatch>(*interconnect_, *sealer_, std::move(taken));
    if (const Status started = sending_->start(); !started) {
        return started.error();
    }
    return dispatch_->start();
}

void Network::heard(CoreHost& core, Log& log, const netbeat::Heartbeat& heartbeat) {
    core.step(core::HeartbeatReceived{&heartbeat});
    heard_at_[heartbeat.sender.node] = boot_now();
    if (log.traces(LogLevel::kTrace)) {
        log.trace(LogLevel::kTrace,
                  "clssnmvDispatchThread",
                  "NHB from node " + std::to_string(heartbeat.sender.node.value()) + " sequence " +
                      std::to_string(heartbeat.sequence.value()));
    }
}

void Network::refused(Log& log,
                      netbeat::DatagramVerdict verdict,
                      const netbeat::Address& from,
                      std::uint64_t count) {
    log.trace(LogLevel::kWarning,
              "clssnmvDispatchThread",
              "NHB refused " + std::to_string(count) + " datagrams, the last from " +
                  netbeat::to_string(from) + ": " + std::string{netbeat::describe(verdict)});
    const NodeNumber node = node_at(from);
    if (verdict == netbeat::DatagramVerdict::kNotAuthentic && node.is_some() &&
        boot_now() >= heard_at_[node] + netbeat::kRefusalLogPeriod) {
        calls_.on_unopened(node);
    }
}

/// On any interconnect.
NodeNumber Network::node_at(const netbeat::Address& from) const {
    for (std::size_t i = 0; i < interconnect_->count(); ++i) {
        if (const NodeNumber node = interconnect_->node_at(i, from); node.is_some()) {
            return node;
        }
    }
    return {};
}

void Network::stop() {
    if (dispatch_ != nullptr) {
        dispatch_->stop();
    }
    if (sending_ != nullptr) {
        sending_->stop();
    }
}

std::vector<guardian::FarewellTarget> Network::targets() const {
    std::vector<guardian::FarewellTarget> all;
    const auto nodes = this->nodes();
    const auto& own = nodes->at(self()).addresses;
    for (const NodeNumber n : nodes->configured() - NodeSet::of(self())) {
        const auto& other = nodes->at(n).addresses;
        for (std::size_t i = 0; i < std::min(own.size(), other.size()); ++i) {
            const netbeat::SocketAddress from = netbeat::to_socket_address(own[i]);
            const netbeat::SocketAddress to = netbeat::to_socket_address(other[i]);
            guardian::FarewellTarget& target = all.emplace_back();
            std::memcpy(&target.from, &from, sizeof from);
            std::memcpy(&target.to, &to, sizeof to);
        }
    }
    return all;
}

/// What the guardians will say in this daemon's name (PROTOCOL 7, E1 and E5): made of a heartbeat
/// that was sent, so that it carries only what stands on a majority, with a sequence that this
/// daemon never reaches; and sealed with the key of now, as the former one does not count for long.
/// Instances that were never active leave nobody waiting.
void Network::leave_farewells(guardian::OrdersWriter& orders, const netbeat::Heartbeat& sent) {
    const std::uint64_t moves = keys_->moves();
    const bool told = farewell_.sender == sent.sender && farewell_.record == sent.record &&
                      farewell_.complete == sent.complete && farewell_moves_ == moves;
    if (sent.state != NodeState::kActive || told) {
        return;
    }
    farewell_ = sent;
    farewell_moves_ = moves;
    netbeat::Heartbeat last = sent;
    last.connected = NodeSet{};
    last.doubt = NodeSet{};
    last.stop_requested = NodeSet{};
    last.echo = {};
    std::array<std::array<std::byte, netbeat::kDatagramSizeMax>, guardian::kFarewells> bytes{};
    std::array<std::span<const std::byte>, guardian::kFarewells> datagrams;
    for (const auto what : {guardian::Farewell::kResetting, guardian::Farewell::kFenced}) {
        const auto i = static_cast<std::size_t>(what);
        last.state =
            what == guardian::Farewell::kFenced ? NodeState::kFenced : NodeState::kResetting;
        last.sequence = Sequence{UINT64_MAX - (guardian::kFarewells - 1) + i};
        datagrams.at(i) = std::span{bytes.at(i)}.first(sealer_->seal(last, bytes.at(i)));
    }
    orders.say(sent.sender, datagrams, targets());
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
