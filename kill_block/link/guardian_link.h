#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "cssd/base/unique_fd.h"
#include "cssd/core/io.h"
#include "kill_block/guardian/orders.h"

namespace css::guardian {

/// The two guardians. They agree on nothing: either alone can fence (PROTOCOL 8).
enum class Which : std::uint8_t { kAgent, kMonitor };
/// "cssdagent", "cssdmonitor": program, socket and pid file are named so.
[[nodiscard]] const char* name_of(Which which);

/// Whether an end may be replaced by a later one.
enum class Finality : std::uint8_t {
    kRenewable,
    kFinal,  ///< A cut end: irrevocable for this instance (PROTOCOL 8, 'To stop').
};

enum class EnlistOutcome : std::uint8_t {
    kHeld,     ///< Both guardians hold the client and will end it at fencing.
    kRefused,  ///< Registry full, drain or fence under way, or a guardian is missing.
};

/// A process (pidfd), or a whole cgroup (its directory).
enum class ClientForm : std::uint8_t { kProcess, kCgroup, kFreezer };

struct FormerClient {
    ClientForm form = ClientForm::kProcess;
    UniqueFd descriptor;
};

/// What the link tells the runtime. Called on the link's own thread, never under a lock of the
/// link: calling back into the link is fine. Must not block. Any may be left empty.
struct GuardianEvents {
    /// Both guardians took this daemon as theirs: the former daemon of this run_dir is gone (no
    /// thread of it runs) and so is every client it had (PROTOCOL 8, restart rule). Before this,
    /// a lease is kept back, not sent. Once.
    std::function<void()> on_ready;
    /// Not ready yet; what one of them still waits for. Whenever that changes.
    std::function<void(Which, bool former_alive, std::size_t clients_left)> on_waiting;
    /// Both hold the update with this serial (or a later one) of this instance. Grows.
    std::function<void(Instance, std::uint64_t serial)> on_acknowledged;
    /// It closed, refused an update, or did not answer within `ack_bound`. Once per guardian; the
    /// link does not start it again. Treat it as a lapsed lease (PROTOCOL 4, stop rule (e)).
    std::function<void(Which, const std::string& reason)> on_lost;
    /// After drain() or fence(), or after a guardian began to fence by itself: each guardian still
    /// there has seen every client go.
    std::function<void()> on_clients_gone;
    /// The end of enlist_client().
    std::function<void(std::uint64_t client, EnlistOutcome)> on_client;
    /// What became of the watchdog device: armed, or one sentence that says why not.
    std::function<void(bool armed, const std::string& what)> on_watchdog;
};

struct GuardianLinkOptions {
    std::string run_dir;
    std::string guardian_dir;   ///< Where cssdagent and cssdmonitor are. Empty: see start().
    std::string state_dir;      ///< For the last-gasp files. Empty: run_dir.
    int realtime_priority = 0;  ///< For the guardians; 0 = none.
    /// No answer for this long: lost.
    Duration ack_bound = std::chrono::seconds{1};
    /// A passed end kills the clients at once; the daemon may live this much longer, to say why,
    /// to publish FENCED, or (unarmed) to begin again. It is killed then.
    Duration last_words = std::chrono::milliseconds{200};
    /// The lease page for the clients; the guardians revoke it first when they fence. A descriptor
    /// open for writing (LeasePageWriter::fd()), or -1. Not owned; not used after start().
    int page_fd = -1;
    /// What the guardians do at a fence (OrdersPage::fd()), or -1: they kill the clients. Not
    /// owned.
    int orders_fd = -1;
    /// For this process itself, when both guardians are gone: as in the orders.
    Action action = Action::kExit;
    bool drain_hook = false;
    std::string reset_file;
    /// Named in what on_watchdog says.
    std::string watchdog_device;
    /// Clients of a former daemon that were found alive: pidfds and directories of cgroups. The
    /// guardians kill them before they take this daemon; they may know them already.
    std::vector<FormerClient> formers;
};

/// cssd's end of both guardians: starts or finds them, tells them the lease, hears from them.
///
/// When both guardians are gone it stands in for them: it kills the clients itself, and resets this
/// host if that is what the action asks for. That is a last resort, since it hangs and dies with
/// this process; what holds without it is the lease end, and the watchdog.
///
/// One thread "guardian" reads their answers and calls the events. All functions may be called
/// from any thread and never block (start and the destructor excepted).
class GuardianLink {
public:
    /// Connects to the guardians that serve run_dir; starts those that do not (detached, so that
    /// they outlive this process). Call it before the process has rings or locks much memory: it
    /// spawns. guardian_dir empty: next to this program's executable, else ../sbin from there.
    /// Blocks for at most two seconds. Errors: kSystem (with the step that failed), kInvalid
    /// (no guardian program), kConflict (what answers is not a guardian of this version).
    static Result<std::unique_ptr<GuardianLink>> start(const GuardianLinkOptions& options,
                                                       GuardianEvents events);
    /// Closes both connections, ends the thread. The guardians go on guarding: see shutdown().
    ~GuardianLink();
    GuardianLink(const GuardianLink&) = delete;
    GuardianLink& operator=(const GuardianLink&) = delete;
    GuardianLink(GuardianLink&&) = delete;
    GuardianLink& operator=(GuardianLink&&) = delete;

    /// Tells both the newest state of `instance`; a newer one replaces one not sent yet. Once
    /// `armed` was sent for an instance it stays so until `released`. Show the update on the
    /// clients' page before calling this; then on_acknowledged means 'guardians and page'.
    void send(const core::LeaseUpdate& update,
              Instance instance,
              Finality finality = Finality::kRenewable);

    /// The guardians kill every client now; the daemon itself at `order.deadline` if it is still
    /// there. on_clients_gone when they are gone. Also when an end passed meanwhile; may be
    /// repeated. From here on the instance's end is final.
    void fence(const core::FenceSelf& order, Instance instance);

    /// Clean leave: no new clients; those still there after `patience` are killed. Ask them
    /// politely first (ClientServer::ask_to_end). on_clients_gone when they are gone.
    void drain(Instance instance, Duration patience);

    /// Hands a client to both. `client` is any number not in use; `descriptor` is duplicated.
    /// Answered by on_client. A process that ends by itself is forgotten by itself; a cgroup has to
    /// be dismissed.
    void enlist_client(std::uint64_t client,
                       int descriptor,
                       ClientForm form = ClientForm::kProcess);
    /// The client acts no more and need not be killed.
    void dismiss_client(std::uint64_t client);

    /// Another lease page, for the instance after one whose clients are gone. Before its first
    /// send(). `fd` is duplicated.
    void renew_page(int fd);
    /// Resets this host (exit_action). Only when no instance runs.
    void reset_host();

    /// Clients that the guardians reported last: the larger of the two numbers.
    [[nodiscard]] std::size_t clients_left() const;
    /// Lines for the alert log: what the guardians could not get (real-time priority, locked
    /// memory). Known from on_ready on.
    [[nodiscard]] std::string warnings() const;
    /// Whether both could reset this host. Known from on_ready on.
    [[nodiscard]] bool can_reset() const;

    /// Ends both guardians; they obey when the instance is released or was never armed, else they
    /// stay. on_lost is not called for it.
    void shutdown();

private:
    class Impl;
    explicit GuardianLink(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::guardian
