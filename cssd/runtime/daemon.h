#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "cssd/client/lease_page_writer.h"
#include "cssd/client/server/client_server.h"
#include "cssd/config/config.h"
#include "cssd/runtime/backend.h"
#include "cssd/runtime/client_register.h"
#include "cssd/runtime/control.h"
#include "cssd/runtime/core_host.h"
#include "cssd/runtime/disk_monitor.h"
#include "cssd/runtime/fence_commands.h"
#include "cssd/runtime/groups.h"
#include "cssd/runtime/host_identity.h"
#include "cssd/runtime/key_change.h"
#include "cssd/runtime/last_acts.h"
#include "cssd/runtime/last_gasps.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/main_events.h"
#include "cssd/runtime/network.h"
#include "cssd/runtime/nodes_reload.h"
#include "cssd/runtime/pid_file.h"
#include "cssd/runtime/polling.h"
#include "cssd/runtime/rejoin.h"
#include "cssd/runtime/requests.h"
#include "cssd/runtime/story.h"
#include "cssd/runtime/teller.h"
#include "cssd/runtime/voting_files.h"
#include "cssd/runtime/wiring.h"
#include "kill_block/link/guardian_link.h"
#include "kill_block/link/orders_page.h"

namespace css::runtime {

/// One daemon process: makes the parts in order, begins an instance when the voting files are found
/// and the former daemon is known to be gone, begins another when that one says so, and takes the
/// parts down again. All of it on the main thread.
class Daemon {
public:
    explicit Daemon(config::Config config)
        : config_(std::move(config)),
          rejoin_(config_.autorejoin_tries, config_.autorejoin_interval) {}
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    Daemon(Daemon&&) = delete;
    Daemon& operator=(Daemon&&) = delete;

    /// Makes everything; after it the control socket answers. The error is for the user.
    Status start();
    /// Serves until the daemon has left or was fenced; the exit code of the process.
    int run();
    /// True when a hung disk keeps a thread of this process: end by _exit.
    [[nodiscard]] bool leaves_threads_behind() const { return leaves_threads_behind_; }

private:
    enum class End : std::uint8_t { kNotYet, kLeft, kFailed };

    // daemon_start.cc
    Status open_log_and_identity();
    Status open_orders();
    Status start_guardians();
    Status settle_privileges();
    Status start_polling();
    [[nodiscard]] guardian::GuardianLinkOptions link_options();
    Status start_service();
    Status start_clients();
    Status start_fence_commands();
    Status start_files();
    void enlist(std::uint64_t client, int descriptor, guardian::ClientForm form);
    void tell_refusals(const std::vector<std::string>& refused);
    [[nodiscard]] guardian::GuardianEvents guardian_events();

    // daemon_fence.cc
    End rejoin();
    End look_at_rejoin();
    End give_up();
    End leave_and_fail(const std::string& why);
    Status renew_page();
    End check_reboottime(Duration reboottime);
    void tell_watchdog(const std::string& unwatched);
    void take_guardians();
    void tell_last_gasps();

    // daemon.cc
    End handle(const MainEvents::News& news);
    End handle_exit(const core::Exit& exit);
    void settle_files();
    void make_agreements();
    [[nodiscard]] FileAgreement::Parts agreement_parts();
    void received(NodeNumber from, std::span<const std::byte> message);
    [[nodiscard]] Status check_nodes(const netbeat::NodesFile& nodes);
    [[nodiscard]] Status take_nodes(const netbeat::NodesFile& nodes);
    End begin_when_possible();
    Status begin(const voting::Header& header);
    Status start_network(const ClusterGuid& cluster);
    [[nodiscard]] Status check_slots(const netbeat::NodesFile& nodes,
                                     const voting::Header& header) const;
    [[nodiscard]] core::ArbiterOptions options_from(const voting::Header& header) const;
    End fail(const std::string& why);
    void end_clients();
    int end(End end);
    void tell_manager() const;

    const config::Config config_;
    std::unique_ptr<MainEvents> events_;
    std::unique_ptr<PidFile> pid_file_;
    std::unique_ptr<Log> log_;
    HostIdentity host_{};

    // What the core's effects and the callbacks below use; destroyed after those that call.
    Wiring wiring_;
    CoreHost core_{wiring_};
    Requests requests_;
    Story story_;
    std::optional<client::LeasePageWriter> page_;
    std::optional<guardian::OrdersWriter> orders_;
    std::unique_ptr<ClientRegister> register_;
    std::optional<LastGasps> last_gasps_;
    std::unique_ptr<Network> network_;
    std::unique_ptr<guardian::GuardianLink> guardians_;
    std::unique_ptr<Groups> groups_;
    std::mutex clients_mutex_;  ///< Guards the pointer, which the guardians' answers use.
    std::unique_ptr<client::ClientServer> clients_;
    std::unique_ptr<Polling> polling_;
    std::unique_ptr<VotingFiles> files_;
    std::unique_ptr<FileChanger> file_changer_;
    NodesReload nodes_reload_;
    std::unique_ptr<FileAgreement> nodes_agreement_;
    std::unique_ptr<KeyChange> key_change_;
    std::unique_ptr<Backend> backend_;
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<Teller> teller_;
    std::unique_ptr<LastActs> last_acts_;
    std::unique_ptr<FenceCommands> fence_commands_;
    std::unique_ptr<DiskMonitor> disk_monitor_;

    Rejoin rejoin_;
    Instant gasps_at_ = kForever;                ///< When to look for last lines once more.
    bool resets_ = false;                        ///< This host is being reset.
    std::optional<std::string> leaves_because_;  ///< When the instance has left: fail.
    bool guardians_ready_ = false;
    std::optional<std::string> guardian_lost_;
    bool instance_runs_ = false;
    bool leaves_threads_behind_ = false;
};

}  // namespace css::runtime
