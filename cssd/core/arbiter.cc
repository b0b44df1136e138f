#include "cssd/core/arbiter.h"

#include <algorithm>
#include <utility>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// Inputs, and the order in which one step does its work. What each part means stands in:
//   starting.cc     before there is an instance
//   disk.cc         cycles: what they showed, when the next one begins
//   network.cc      heartbeats, echoes, connected and doubt
//   records.cc      learning, adopting and completing records; departures; the promise
//   lease.cc        E, may act, stopping, leaving
//   files.cc        another set of voting files
//   reconfigure.cc  triggers, settling, cohort, proposing
//   requests.cc     the administrator

namespace css::core {

Arbiter::Arbiter(Instant now, const ArbiterOptions& options)
    : impl_(std::make_unique<Impl>(now, options)) {}
Arbiter::~Arbiter() = default;

void Arbiter::step(Instant now, const Input& input) {
    impl_->step(now, input);
}
Output Arbiter::take_output() {
    Output output;
    impl_->take_output(output);
    return output;
}
void Arbiter::take_output(Output& into) {
    impl_->take_output(into);
}
StatusView Arbiter::status(Instant now) const {
    return impl_->status(now);
}

Arbiter::Impl::Impl(Instant now, const ArbiterOptions& options)
    : options_(options),
      now_(now),
      self_{options.self, Unique{}},
      random_state_(options.random_seed),
      standby_(options.standby),
      weight_(options.weight),
      known_(options.genesis),
      published_(options.genesis),
      standing_(options.genesis),
      complete_(options.genesis.incarnation),
      kept_(options.genesis.parameters),
      promised_(options.genesis.parameters),
      disk_(options.slots_max),
      paxos_(options.self, options.slots_max) {
    CSS_CHECK(options.self.is_some());
    CSS_CHECK(options.configured.contains(options.self));
    CSS_CHECK(options.slots_used <= options.slots_max);
    CSS_CHECK(consistent(options.genesis.parameters));
    CSS_CHECK(options.genesis.members.empty());
    for (std::uint32_t& w : weight_of_) {
        w = 1;
    }
    evaluate();
    out_.wake_at = wake_at_;
}

void Arbiter::Impl::step(Instant now, const Input& input) {
    CSS_CHECK(now >= now_);
    if (now > now_ + stretched(2 * period())) {
        awake_since_ = now;
    }
    now_ = now;
    if (phase_ == Phase::kEnded) {
        return;
    }
    // Stop rule (a) comes first, with the old values: a daemon that was paused must not revive its
    // lapsed lease with the news that queued up meanwhile.
    const auto look_at_lapse = [this] {
        const auto lapsed = [this] { return has_lease() && now_ >= lease_end_ - stop_margin(); };
        if (lapsed()) {
            refresh_lease();
        }
        if (lapsed() && !mutated(Mutation::kLapsedLeaseRenewed)) {
            stop(StopReason::kLeaseLapsed);
        }
    };
    if (!mutated(Mutation::kLapseAfterNews)) {
        look_at_lapse();
    }
    news_ = true;
    woken_ = std::holds_alternative<Tick>(input);
    std::visit([this](const auto& i) { on(i); }, input);
    if (mutated(Mutation::kLapseAfterNews)) {
        lease_end_ = has_lease() ? lease_end_with(kept_) : lease_end_;
        look_at_lapse();
    }
    // Most inputs of a healthy cluster say that everything goes on as before. They put off times
    // at which something would have to be done, and change nothing else that an evaluation looks
    // at. So while nothing is under way the last evaluation holds until the time it asked for, at
    // which the times are computed anew; only E, which such a sign puts off as well, is looked up
    // whenever it is used. A cycle that ended makes room for the next one.
    if (quiet_ && !news_ && phase_ == Phase::kMember && now_ < wake_at_) {
        lease_stale_ = true;
        if (std::holds_alternative<CycleFinished>(input)) {
            schedule_cycles();
        }
        check_invariants();
    } else {
        evaluate();
    }
    out_.wake_at = wake_at_;
}

bool Arbiter::Impl::nothing_under_way() const {
    const bool settled = complete_ == known_.incarnation &&
                         standing_.incarnation == known_.incarnation && known_.files_next.empty();
    const bool promised = kept_ == known_.parameters && promised_ == kept_;
    const bool asked =
        parameter_request_ || files_request_ || !evict_requests_.empty() || stop_request_ != 0;
    return phase_ == Phase::kMember && told_.may_act && settled && promised && !asked && !fast_ &&
           step_ == ReconfigurationStep::kNone && loss_at_ == kNever && trigger_at_ == kNever &&
           !paxos_.running();
}

void Arbiter::Impl::refresh_lease() {
    if (lease_stale_ && has_lease()) {
        lease_end_ = lease_end_with(kept_);
    }
    lease_stale_ = false;
}

void Arbiter::Impl::take_output(Output& into) {
    // Lists change places, so that neither side has to find room for them anew; the heartbeat is
    // large and mostly not there.
    into.lease = std::exchange(out_.lease, std::nullopt);
    into.cycles.clear();
    into.cycles.swap(out_.cycles);
    into.heartbeat.reset();
    if (out_.heartbeat) {
        into.heartbeat = out_.heartbeat;
        out_.heartbeat.reset();
    }
    into.fence.clear();
    into.fence.swap(out_.fence);
    into.drain = std::exchange(out_.drain, false);
    into.fence_self = std::exchange(out_.fence_self, std::nullopt);
    into.notices.clear();
    into.notices.swap(out_.notices);
    into.exit = std::exchange(out_.exit, std::nullopt);
    into.wake_at = std::exchange(out_.wake_at, kForever);
}

void Arbiter::Impl::evaluate() {
    refresh_lease();
    quiet_ = false;
    wake_at_ = kForever;
    if (phase_ == Phase::kEnded) {
        return;
    }
    fast_ = false;
    step_ = ReconfigurationStep::kNone;
    waits_for_ = NodeSet{};
    if (phase_ == Phase::kStarting) {
        evaluate_start();
    }
    if (phase_ != Phase::kStarting) {
        update_links();
        update_promise();
        confirm_departures();
        reconfigure();
        update_activation();
        evaluate_requests();
        if (phase_ == Phase::kLeaving) {
            evaluate_leaving();
        }
        if (phase_ == Phase::kStopping) {
            evaluate_stopping();
        }
        if (phase_ != Phase::kEnded) {
            update_lease();
            watch_files();
        }
    }
    if (phase_ == Phase::kEnded) {
        return;
    }
    schedule_cycles();
    send_heartbeat();
    check_invariants();
    quiet_ = nothing_under_way();
}

void Arbiter::Impl::check_invariants() const {
    CSS_CHECK(published_.incarnation <= known_.incarnation);
    CSS_CHECK(standing_.incarnation <= published_.incarnation);
    CSS_CHECK(promised_.misscount >= kept_.misscount);
    CSS_CHECK(promised_.disktimeout >= kept_.disktimeout);
    CSS_CHECK(promised_.reboottime >= kept_.reboottime);
    // An instance that lives on is not dropped by any record it knows (stop rule b).
    CSS_CHECK(!alive() || !known_.drops(self_));
    // What may act is listed (self-knowledge).
    CSS_CHECK(!told_.may_act || phase_ != Phase::kMember || known_.lists(self_));
}

bool Arbiter::Impl::has_lease() const {
    if (mutated(Mutation::kNoJoiningLease) && phase_ == Phase::kJoining) {
        return false;
    }
    return alive() || (phase_ == Phase::kLeaving && !clients_gone_);
}

Notice& Arbiter::Impl::notify(NoticeKind kind) {
    Notice& n = out_.notices.emplace_back();
    n.kind = kind;
    n.incarnation = known_.incarnation;
    n.members = known_.members;
    return n;
}

void Arbiter::Impl::wake(Instant at) {
    // What was due by now has just been looked at; if it waits for something else, time alone will
    // not help it.
    if (at > now_) {
        wake_at_ = std::min(wake_at_, at);
    }
}

std::uint64_t Arbiter::Impl::random_below(std::uint64_t bound) {
    // splitmix64: any spread will do here, but it must be the same on every machine.
    random_state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = random_state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % bound;
}

void Arbiter::Impl::on(const FileOpened& input) {
    opened_[input.file] = input;
    use_file(input.file);
}

void Arbiter::Impl::on(const FileClosed& input) {
    FileProgress& f = files_[input.file];
    opened_[input.file].reset();
    open_.erase(input.file);
    const bool counts = voting::Quorum(known_).all().contains(input.file);
    if (f.state == FileState::kOnline && counts) {
        notify(NoticeKind::kFileOffline).file = input.file;
    }
    f.state = FileState::kOffline;
}

void Arbiter::Impl::on(const LeaseAcknowledged& input) {
    acknowledged_serial_ = std::max(acknowledged_serial_, input.serial);
    news_ = false;  // Whoever waits for a serial is not quiet.
    if (gate_serial_ != 0 && acknowledged_serial_ >= gate_serial_) {
        gate_serial_ = 0;
        publish();
    }
}

void Arbiter::Impl::on(const GuardianLost& /*input*/) {
    // A daemon that has let go of its lease needs no guardian any more.
    if (phase_ != Phase::kStarting && has_lease()) {
        stop(StopReason::kGuardianLost);
    }
}

void Arbiter::Impl::on(const ClientsGone& /*input*/) {
    if ((phase_ != Phase::kLeaving && phase_ != Phase::kStopping) || clients_gone_) {
        return;
    }
    clients_gone_ = true;
    clients_gone_at_ = now_;
    touch();
    datagram_due_ = true;
    if (phase_ == Phase::kStopping) {
        notify(NoticeKind::kFenced).by = self_.node;
    }
}

void Arbiter::Impl::on(const FenceConfirmed& input) {
    Departure& d = departures_[input.victim.node];
    if (d.unique == input.victim.unique && !d.off) {
        d.off = true;
        d.off_at = now_;
    }
}

void Arbiter::Impl::on(const NodesChanged& input) {
    CSS_CHECK(input.configured.contains(self_.node));
    CSS_CHECK(input.slots_used <= options_.slots_max);
    options_.configured = input.configured;
    // Never fewer: what an instance reads in every cycle it has promised to go on reading.
    options_.slots_used = std::max(options_.slots_used, input.slots_used);
    datagram_due_ = true;
}

}  // namespace css::core
