#include <cstdlib>

#include "cssd/runtime/daemon.h"
#include "cssd/runtime/privileges.h"
#include "cssd/runtime/sandbox.h"
#include "cssd/runtime/trusted_places.h"

// The parts in the order in which they are made (PROTOCOL 8: guardians before anything that can
// act; they are spawned before the process locks memory and makes rings). Guardians and fence
// commands need what the daemon is started with; all threads that are begun after them do not.

namespace css::runtime {

Status Daemon::start() {
    for (const auto step : {&Daemon::open_log_and_identity,
                            &Daemon::open_orders,
                            &Daemon::start_guardians,
                            &Daemon::start_fence_commands,
                            &Daemon::settle_privileges,
                            &Daemon::start_polling,
                            &Daemon::start_files,
                            &Daemon::start_service}) {
        if (const Status done = (this->*step)(); !done) {
            if (log_ != nullptr) {
                log_->alert("CRS-1656: The CSS daemon is terminating due to a fatal error: " +
                            done.error().message);
            }
            return done.error();
        }
    }
    return Done{};
}

Status Daemon::open_log_and_identity() {
    auto events = MainEvents::create();
    if (!events) {
        return events.error();
    }
    events_ = std::move(*events);
    TrustedPlaces places;
    places.file("--config", config_.file);
    places.file("nodes_file", config_.nodes_file);
    places.file("key_file", config_.key_file);
    for (const Status& trusted :
         {places.directory("run_dir", config_.run_dir),
          places.directory("log_dir", config_.log_dir, TrustedPlaces::Sticky::kTold)}) {
        if (!trusted) {
            return trusted.error();
        }
    }
    auto pid_file = PidFile::take(config_.run_dir);
    if (!pid_file) {
        return pid_file.error();
    }
    pid_file_ = std::move(*pid_file);
    auto log = Log::open(LogOptions{
        .directory = config_.log_dir, .level = config_.log_level, .on_thread_start = [this] {
            give_up_privileges(config_.sandbox);
        }});
    if (!log) {
        return log.error();
    }
    log_ = std::move(*log);
    log_->alert(alert_started());
    tell_refusals(places.doubts());

    const auto host = host_identity();
    if (!host) {
        return host.error();
    }
    host_ = *host;
    auto key = netbeat::load_key_file(config_.key_file);
    if (!key) {
        return key.error();
    }
    auto nodes = netbeat::load_nodes_file(config_.nodes_file);
    if (!nodes) {
        return nodes.error();
    }
    auto network = Network::bind(std::move(*nodes), config_.node_number, *key);
    if (!network) {
        return network.error();
    }
    network_ = std::move(*network);
    wiring_.network = network_.get();
    return Done{};
}

guardian::GuardianEvents Daemon::guardian_events() {
    guardian::GuardianEvents events;
    events.on_ready = [this] {
        give_up_privileges(config_.sandbox);  // Its thread began with the guardians themselves.
        events_->post([](MainEvents::News& news) { news.guardians_ready = true; });
    };
    events.on_waiting = [this](guardian::Which which, bool former_alive, std::size_t clients) {
        log_->trace(config::LogLevel::kWarning,
                    "clssnmGuardian",
                    std::string{"LHB "} + guardian::name_of(which) + " waits: former daemon " +
                        (former_alive ? "still there, " : "gone, ") + std::to_string(clients) +
                        " of its clients left");
    };
    events.on_acknowledged = [this](Instance instance, std::uint64_t serial) {
        core_.lease_acknowledged(instance, serial);
    };
    events.on_lost = [this](guardian::Which which, const std::string& reason) {
        core_.step(core::GuardianLost{});
        const std::string why = std::string{"guardian "} + guardian::name_of(which) + ": " + reason;
        events_->post([&why](MainEvents::News& news) { news.guardian_lost = why; });
    };
    events.on_clients_gone = [this] { core_.step(core::ClientsGone{}); };
    events.on_watchdog = [this](bool armed, const std::string& what) {
        events_->post([&](MainEvents::News& news) { news.unwatched = armed ? "" : what; });
    };
    events.on_client = [this](std::uint64_t client, guardian::EnlistOutcome outcome) {
        const bool held = outcome == guardian::EnlistOutcome::kHeld;
        if (!held) {
            events_->post(
                [client](MainEvents::News& news) { news.refused_clients.push_back(client); });
        }
        const std::lock_guard lock{clients_mutex_};
        if (clients_ != nullptr) {
            clients_->enlisted(client, held);
        }
    };
    return events;
}

namespace {

guardian::Action action_of(config::FenceAction action) {
    switch (action) {
        case config::FenceAction::kReboot: return guardian::Action::kReboot;
        case config::FenceAction::kKillClients: return guardian::Action::kKillClients;
        case config::FenceAction::kCommand: return guardian::Action::kCommand;
        case config::FenceAction::kExit: return guardian::Action::kExit;
    }
    return guardian::Action::kExit;
}

/// Tests and demonstrations set it: then nothing that they start resets this machine.
std::string reset_file() {
    const char* file = std::getenv("CSS_RESET_FILE");  // NOLINT(concurrency-mt-unsafe): no threads.
    return file == nullptr ? "" : file;
}

}  // namespace

Status Daemon::open_orders() {
    auto clients = ClientRegister::open(config_.run_dir, host_.boot);
    if (!clients) {
        return clients.error();
    }
    register_ = std::move(*clients);
    last_gasps_.emplace(config_.log_dir, story_, *log_);
    auto orders =
        guardian::OrdersWriter::create({.action = action_of(config_.fence_action),
                                        .node = network_->self(),
                                        .node_name = network_->nodes()->at(network_->self()).name,
                                        .fence_command = config_.fence_command,
                                        .drain_command = config_.drain_command,
                                        .run_dir = config_.run_dir,
                                        .alert_log = config_.log_dir + "/alert.log",
                                        .trace_file = log_->trace_file(),
                                        .watchdog = config_.watchdog_device,
                                        .reset_file = reset_file()});
    if (!orders) {
        return orders.error();
    }
    orders_.emplace(std::move(*orders));
    return Done{};
}

guardian::GuardianLinkOptions Daemon::link_options() {
    guardian::GuardianLinkOptions options;
    options.run_dir = config_.run_dir;
    options.state_dir = config_.log_dir;  // What is in it survives a reset.
    options.realtime_priority = static_cast<int>(config_.realtime_priority);
    options.page_fd = page_->fd();
    options.orders_fd = orders_->fd();
    options.action = action_of(config_.fence_action);
    options.drain_hook = !config_.drain_command.empty();
    options.reset_file = reset_file();
    options.watchdog_device = config_.watchdog_device;
    options.formers = register_->take_formers();
    return options;
}

Status Daemon::start_guardians() {
    auto page = client::LeasePageWriter::create();
    if (!page) {
        return page.error();
    }
    page_.emplace(std::move(*page));
    wiring_.page = &*page_;
    const RealtimeScope realtime{config_.realtime_priority};
    auto guardians = guardian::GuardianLink::start(link_options(), guardian_events());
    if (!guardians) {
        return guardians.error();
    }
    guardians_ = std::move(*guardians);
    wiring_.guardians = guardians_.get();
    return Done{};
}

/// All that needs privileges is done, or has a thread of its own.
Status Daemon::settle_privileges() {
    tell_refusals(lock_memory());
    raise_descriptor_limit();
    const GivenUp given_up = give_up_privileges(config_.sandbox);
    tell_refusals(given_up.refused);
    log_->trace(config::LogLevel::kInfo,
                "clssscSandbox",
                given_up.what + (config_.fence_command.empty()
                                     ? ""
                                     : "; the thread fencecmd, for fence_command, keeps all"));
    return Done{};
}

Status Daemon::start_polling() {
    const RealtimeScope realtime{config_.realtime_priority};
    auto polling = Polling::start([this] { core_.step(core::Tick{}); });
    if (!polling) {
        return polling.error();
    }
    polling_ = std::move(*polling);
    wiring_.polling = polling_.get();
    wiring_.on_first_lease = [this](Duration reboottime) {
        events_->post([&](MainEvents::News& news) { news.reboottime = reboottime; });
    };
    return Done{};
}

Status Daemon::start_files() {
    const RealtimeScope realtime{config_.realtime_priority};
    if (!realtime.warning().empty()) {
        tell_refusals({realtime.warning()});
    }
    auto files = VotingFiles::start(
        VotingFiles::Options{.paths = config_.voting_files,
                             .cluster_name = config_.cluster_name,
                             .self = network_->self()},
        core_,
        *log_,
        [this] { events_->post([](MainEvents::News& news) { news.files_changed = true; }); });
    if (!files) {
        return files.error();
    }
    files_ = std::move(*files);
    wiring_.files = files_.get();
    file_changer_ = std::make_unique<FileChanger>(FileChanger::Parts{
        .core = core_, .files = *files_, .requests = requests_, .log = *log_, .names = [this] {
            return backend_->names();
        }});
    groups_ = std::make_unique<Groups>(Groups::Parts{
        .send = [this](NodeNumber to,
                       group::Bytes bytes) { network_->post_message(to, std::move(bytes)); },
        .evict =
            [this](NodeNumber node) {
                backend_->submit(core::EvictNode{node}, [](core::RequestResult) {});
            },
        .names = [this] { return backend_->names(); },
        .log = *log_});
    wiring_.groups = groups_.get();
    make_agreements();
    backend_ = std::make_unique<Backend>(
        Backend::Parts{.config = config_,
                       .network = *network_,
                       .core = core_,
                       .files = *files_,
                       .requests = requests_,
                       .file_changer = *file_changer_,
                       .groups = *groups_,
                       .nodes_agreement = *nodes_agreement_,
                       .key_change = *key_change_,
                       .story = story_,
                       .log = *log_,
                       .leave_without_core = [this] {
                           events_->post([](MainEvents::News& news) { news.leave = true; });
                       }});
    backend_->set_realtime_priority(realtime.in_force());
    return Done{};
}

FileAgreement::Parts Daemon::agreement_parts() {
    FileAgreement::Parts parts;
    parts.self = network_->self();
    parts.send = [this](NodeNumber to, std::vector<std::byte> message) {
        network_->post_message(to, std::move(message));
    };
    parts.members = [this] {
        const std::optional<core::StatusView> status = core_.status();
        return status ? status->newest.members : NodeSet{};
    };
    parts.node_name = [this](NodeNumber n) { return backend_->names().node(n); };
    return parts;
}

void Daemon::make_agreements() {
    FileAgreement::Parts nodes = agreement_parts();
    nodes_reload_.path = config_.nodes_file;
    nodes_reload_.members = nodes.members;
    nodes_reload_.check = [this](const netbeat::NodesFile& file) { return check_nodes(file); };
    nodes_reload_.take = [this](const netbeat::NodesFile& file) { return take_nodes(file); };
    nodes_reload_.node_name = nodes.node_name;
    nodes.topic = AgreementMessage::Topic::kNodesFile;
    nodes.name = "nodes file";
    nodes.thread = "nodes";
    nodes.read = [this](std::optional<std::uint64_t>) { return read_nodes(nodes_reload_); };
    nodes.done = [this] {
        return nlohmann::json{{"ok", true}, {"nodes", network_->nodes()->configured().count()}};
    };
    nodes_agreement_ = std::make_unique<FileAgreement>(std::move(nodes));
    key_change_ = std::make_unique<KeyChange>(KeyChange::Parts{.key_file = config_.key_file,
                                                               .keys = network_->keys(),
                                                               .log = *log_,
                                                               .agreement = agreement_parts()});
}

Status Daemon::check_nodes(const netbeat::NodesFile& nodes) {
    if (const Status usable = network_->check(nodes); !usable) {
        return usable;
    }
    const std::optional<voting::Header> header = files_->found();
    return header ? check_slots(nodes, *header) : Status{Done{}};
}

Status Daemon::take_nodes(const netbeat::NodesFile& nodes) {
    if (const Status taken = network_->take(nodes); !taken) {
        return taken;
    }
    static_cast<void>(core_.step(core::NodesChanged{nodes.configured(), nodes.slots_used()}));
    log_->trace(config::LogLevel::kInfo,
                "clssscReloadNodes",
                "RCFG the nodes file was read again: " +
                    std::to_string(nodes.configured().count()) + " nodes");
    return Done{};
}

/// Everything that serves people and clients: ordinary threads.
Status Daemon::start_service() {
    auto control = ControlServer::start(ControlOptions{.run_dir = config_.run_dir}, *backend_);
    if (!control) {
        return control.error();
    }
    control_ = std::move(*control);
    if (const Status started = start_clients(); !started) {
        return started.error();
    }
    const auto names = [this] { return backend_->names(); };
    teller_ = std::make_unique<Teller>(
        Teller::Tells{.log = *log_,
                      .story = story_,
                      .requests = requests_,
                      .control = *control_,
                      .clients = *clients_,
                      .names = names,
                      .on_end = [this](const core::Exit& exit) {
                          events_->post([&exit](MainEvents::News& news) { news.exit = exit; });
                      }});
    last_acts_ = std::make_unique<LastActs>(
        *guardians_, [this] { clients_->ask_to_end(); }, *log_);
    disk_monitor_ = std::make_unique<DiskMonitor>(*files_, *log_, names);
    wiring_.teller = teller_.get();
    wiring_.last_acts = last_acts_.get();
    for (const Status& started : {teller_->start(),
                                  last_acts_->start(),
                                  disk_monitor_->start(),
                                  nodes_agreement_->start(),
                                  key_change_->start()}) {
        if (!started) {
            return started.error();
        }
    }
    return Done{};
}

/// Clients are listed before a guardian holds them: no start may overlook one (PROTOCOL 8).
void Daemon::enlist(std::uint64_t client, int descriptor, guardian::ClientForm form) {
    if (const Status added = register_->add(client, descriptor, form); !added) {
        log_->alert("CRS-1657: Warning: a client cannot be registered: " + added.error().message);
        const std::lock_guard lock{clients_mutex_};
        if (clients_ != nullptr) {
            clients_->enlisted(client, false);
        }
        return;
    }
    guardians_->enlist_client(client, descriptor, form);
}

Status Daemon::start_clients() {
    const auto form_of = [](client::CgroupKind kind) {
        return kind == client::CgroupKind::kV2 ? guardian::ClientForm::kCgroup
                                               : guardian::ClientForm::kFreezer;
    };
    auto clients = client::ClientServer::start(client::ClientServerOptions{
        .run_dir = config_.run_dir,
        .page_fd = page_->reader_fd(),
        .enlist = [this](std::uint64_t client,
                         int pidfd) { enlist(client, pidfd, guardian::ClientForm::kProcess); },
        .enlist_cgroup =
            [this, form_of](std::uint64_t client, int directory, client::CgroupKind kind) {
                enlist(client, directory, form_of(kind));
            },
        .dismiss =
            [this](std::uint64_t client) {
                guardians_->dismiss_client(client);
                register_->remove(client);
            },
        .groups = groups_->calls()});
    if (!clients) {
        return clients.error();
    }
    {
        const std::lock_guard lock{clients_mutex_};
        clients_ = std::move(*clients);
    }
    return groups_->start(*clients_);
}

Status Daemon::start_fence_commands() {
    fence_commands_ = std::make_unique<FenceCommands>(
        FenceCommands::Options{.command = config_.fence_command},
        FenceCommands::Calls{
            .name_of = [this](NodeNumber n) { return backend_->names().node(n); },
            .is_pending =
                [this](Instance victim) {
                    const auto status = core_.status();
                    return status && status->nodes[victim.node].evicting &&
                           status->nodes[victim.node].unique == victim.unique;
                },
            .confirmed = [this](Instance victim) { core_.step(core::FenceConfirmed{victim}); }},
        *log_);
    wiring_.fence_commands = fence_commands_.get();
    return fence_commands_->start();
}

void Daemon::tell_refusals(const std::vector<std::string>& refused) {
    for (const std::string& what : refused) {
        log_->alert("CRS-1657: Warning: " + what);
    }
}

}  // namespace css::runtime
