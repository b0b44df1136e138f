#include "cssd/runtime/daemon.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <sys/random.h>
#include <systemd/sd-daemon.h>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/privileges.h"
#include "cssd/runtime/render_parts.h"

namespace css::runtime {

using config::LogLevel;

Daemon::~Daemon() {
    // Callers before the called: after the core has ended, or was never begun, only these threads
    // still reach into other parts.
    polling_.reset();
    disk_monitor_.reset();
    if (files_ != nullptr) {
        leaves_threads_behind_ = !(file_changer_ == nullptr || file_changer_->stop());
        leaves_threads_behind_ = !files_->stop() || leaves_threads_behind_;
    }
    if (network_ != nullptr) {
        network_->stop();
    }
    if (nodes_agreement_ != nullptr) {
        nodes_agreement_->stop();
        key_change_->stop();
    }
    last_acts_.reset();
    teller_.reset();
    if (groups_ != nullptr) {
        groups_->stop();
    }
    fence_commands_.reset();
    end_clients();
    guardians_.reset();
    control_.reset();
}

/// A guardian's last answer may be about a client of theirs.
void Daemon::end_clients() {
    std::unique_ptr<client::ClientServer> ending;
    {
        const std::lock_guard lock{clients_mutex_};
        ending = std::move(clients_);
    }
}

int Daemon::run() {
    static_cast<void>(::sd_notify(0, "READY=1"));
    for (;;) {
        tell_manager();
        const MainEvents::News news = events_->wait(std::min(rejoin_.due(), gasps_at_));
        if (const End over = handle(news); over != End::kNotYet) {
            return end(over);
        }
    }
}

Daemon::End Daemon::handle(const MainEvents::News& news) {
    if (news.terminate) {
        log_->trace(LogLevel::kInfo, "clssscMain", "RCFG asked by a signal to leave");
        backend_->submit(core::Leave{}, [](core::RequestResult) {});
    }
    if (news.guardians_ready) {
        take_guardians();
    }
    for (const std::uint64_t client : news.refused_clients) {
        register_->remove(client);
    }
    if (news.unwatched) {
        tell_watchdog(*news.unwatched);
    }
    if (news.reboottime) {
        if (const End over = check_reboottime(*news.reboottime); over != End::kNotYet) {
            return over;
        }
    }
    if (news.guardian_lost) {
        guardian_lost_ = news.guardian_lost;
        backend_->set_fault(*news.guardian_lost);
        if (!instance_runs_) {
            return fail(*news.guardian_lost);
        }
    }
    if (news.exit) {
        instance_runs_ = false;
        if (const End over = handle_exit(*news.exit); over != End::kNotYet) {
            return over;
        }
    }
    if (news.leave) {
        return End::kLeft;
    }
    if (news.files_changed) {
        settle_files();
    }
    if (boot_now() >= gasps_at_) {
        tell_last_gasps();
        gasps_at_ = kForever;
    }
    if (const End over = look_at_rejoin(); over != End::kNotYet) {
        return over;
    }
    return begin_when_possible();
}

Daemon::End Daemon::handle_exit(const core::Exit& exit) {
    if (leaves_because_) {
        return fail(*leaves_because_);
    }
    switch (exit.kind) {
        case core::Exit::Kind::kLeft: return End::kLeft;
        case core::Exit::Kind::kFenced:
            log_->trace(LogLevel::kError,
                        "clssscMain",
                        "LHB fenced, every client is gone: " + std::string{words(exit.reason)});
            if (config_.fence_action == config::FenceAction::kKillClients && !guardian_lost_) {
                return rejoin();
            }
            return fail(std::string{words(exit.reason)});
        case core::Exit::Kind::kAgain: break;
    }
    requests_.abandon();
    if (guardian_lost_) {
        return fail(*guardian_lost_);
    }
    log_->trace(LogLevel::kWarning,
                "clssscMain",
                "RCFG beginning again as a new instance: " + std::string{words(exit.reason)});
    return End::kNotYet;
}

/// Threads of files that are begun here get the priority of those begun at first.
void Daemon::settle_files() {
    const RealtimeScope realtime{config_.realtime_priority};
    const std::optional<core::StatusView> status = core_.status();
    files_->settle(status ? &status->newest : nullptr);
}

Daemon::End Daemon::begin_when_possible() {
    if (instance_runs_ || resets_) {
        return End::kNotYet;
    }
    backend_->set_fault(guardians_ready_ ? ""
                                         : "the former daemon of " + config_.run_dir +
                                               ", or one of its clients, is still there");
    const std::optional<voting::Header> header = files_->found();
    if (!header || !guardians_ready_) {
        return End::kNotYet;
    }
    if (const Status begun = begin(*header); !begun) {
        return fail(begun.error().message);
    }
    return End::kNotYet;
}

Status Daemon::begin(const voting::Header& header) {
    if (const Status fits = check_slots(*network_->nodes(), header); !fits) {
        return fits;
    }
    if (!network_->runs()) {
        const RealtimeScope realtime{config_.realtime_priority};
        if (const Status started = start_network(header.cluster); !started) {
            return started.error();
        }
    }
    instance_runs_ = true;
    core_.begin(options_from(header));
    settle_files();
    return Done{};
}

Status Daemon::check_slots(const netbeat::NodesFile& nodes, const voting::Header& header) const {
    if (nodes.slots_used() <= header.slots_max) {
        return Done{};
    }
    return Error{ErrorCode::kConflict,
                 0,
                 config_.nodes_file + " has " + std::to_string(nodes.slots_used()) +
                     " lines: the voting files have room for " + std::to_string(header.slots_max) +
                     " nodes"};
}

Status Daemon::start_network(const ClusterGuid& cluster) {
    Network::Calls calls;
    calls.on_message = [this](NodeNumber from, std::span<const std::byte> message) {
        received(from, message);
    };
    calls.on_unopened = [this](NodeNumber from) { key_change_->unopened(from); };
    return network_->start(cluster, core_, *log_, *orders_, std::move(calls));
}

void Daemon::received(NodeNumber from, std::span<const std::byte> message) {
    const auto topic = agreement_topic(message);
    if (!topic) {
        groups_->datagram(from, message);
        return;
    }
    switch (*topic) {
        case AgreementMessage::Topic::kNodesFile: nodes_agreement_->received(from, message); return;
        case AgreementMessage::Topic::kKeyFile: key_change_->received(from, message); return;
    }
}

core::ArbiterOptions Daemon::options_from(const voting::Header& header) const {
    core::ArbiterOptions options;
    options.self = network_->self();
    const auto nodes = network_->nodes();
    options.configured = nodes->configured();
    options.slots_used = nodes->slots_used();
    options.slots_max = header.slots_max;
    options.genesis = voting::genesis_record(header);
    options.host = host_.host;
    options.boot = host_.boot;
    options.wall_seconds = static_cast<std::uint32_t>(std::time(nullptr));
    const Standing standing = backend_->standing();
    options.weight = standing.weight;
    options.standby = standing.standby;
    // Both guardians are ours, so the former daemon of this run_dir and its clients are gone; that
    // its I/O has ended is asked of each file before it is told to the core.
    CSS_CHECK(guardians_ready_);
    options.former_gone = true;
    CSS_CHECK(::getrandom(&options.random_seed, sizeof options.random_seed, 0) ==
              sizeof options.random_seed);
    return options;
}

Daemon::End Daemon::fail(const std::string& why) {
    log_->alert(alert_fatal(kTagFatal, backend_->names()));
    log_->trace(LogLevel::kCritical, "clssscExit", "LHB " + std::string{kTagFatal} + " " + why);
    return End::kFailed;
}

/// The parts go in an order in which nobody is asked after it has gone; the answer to whoever asked
/// for the stop comes when everything else has ended.
int Daemon::end(End over) {
    static_cast<void>(::sd_notify(0, "STOPPING=1"));
    polling_.reset();
    disk_monitor_.reset();
    leaves_threads_behind_ = !file_changer_->stop();
    leaves_threads_behind_ = !files_->stop() || leaves_threads_behind_;
    network_->stop();
    nodes_agreement_->stop();
    key_change_->stop();
    last_acts_.reset();
    teller_.reset();
    groups_->stop();
    fence_commands_.reset();
    end_clients();
    if (!guardian_lost_ && !resets_) {
        guardians_->shutdown();
    }
    guardians_.reset();
    const Names names = backend_->names();
    if (over == End::kLeft) {
        log_->alert(alert_stopped(names.node(names.self)));
        requests_.leave();
    } else {
        requests_.abandon();
    }
    control_.reset();
    return over == End::kLeft ? 0 : 1;
}

void Daemon::tell_manager() const {
    std::string status = "STATUS=";
    if (const std::string fault = files_->fault(); !fault.empty()) {
        status += "waiting for voting files: " + fault;
    } else {
        status += instance_runs_ ? "running" : "starting";
    }
    static_cast<void>(::sd_notify(0, status.c_str()));
}

}  // namespace css::runtime
