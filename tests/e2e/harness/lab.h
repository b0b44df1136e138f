#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/harness/disks.h"
#include "tests/e2e/harness/events.h"
#include "tests/e2e/harness/network.h"
#include "tests/e2e/harness/overlap.h"
#include "tests/e2e/harness/process.h"

namespace css::e2e {

/// Why a lab cannot be made here (no root, no namespaces, no loop devices); empty: it can.
std::string missing_here();

struct LabOptions {
    unsigned nodes = 3;
    unsigned networks = 1;
    unsigned files = 3;
    unsigned spare_files = 0;  ///< More disks, neither formatted nor in any configuration.
    DiskKind disks = DiskKind::kLoop;
    unsigned sector_size = 512;
    milliseconds misscount{2000};
    milliseconds disktimeout{6000};
    milliseconds reboottime{400};
    std::string fence_action{"exit"};
    std::string more_configuration{};  ///< Lines for every node's cssd.conf.
    bool own_wall_clocks = false;      ///< Each daemon's wall clock can be stepped.
    Words start_with{};                ///< What runs the daemon, as in {"setpriv", ...}.
};

/// Everything waits this long at most: many times what a healthy machine needs.
inline constexpr milliseconds kPatience = std::chrono::seconds{20};

/// A cluster of real daemons: a namespace, a run directory, an event log and a test client for each
/// node, and shared voting files. Everything goes with this object; with a killed test too, except
/// a directory and perhaps guardians, which the next lab removes. Main thread only.
class Lab {
public:
    explicit Lab(const LabOptions& options);
    ~Lab();
    Lab(const Lab&) = delete;
    Lab& operator=(const Lab&) = delete;
    Lab(Lab&&) = delete;
    Lab& operator=(Lab&&) = delete;

    [[nodiscard]] const LabOptions& options() const { return options_; }
    [[nodiscard]] Network& network() { return network_; }
    [[nodiscard]] VotingDisks& disks() { return disks_; }
    [[nodiscard]] Members everybody() const;
    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] std::string run_dir(unsigned node) const { return node_dir(node) + "/run"; }
    [[nodiscard]] std::string key_file(unsigned node) const {
        return node_dir(node) + "/cluster.key";
    }
    /// A new key, the same for all these nodes, in their key files with `suffix` added.
    void put_key(const std::string& suffix, const Members& nodes) const;
    [[nodiscard]] std::string log_dir(unsigned node) const { return node_dir(node) + "/log"; }
    [[nodiscard]] std::string alert_log(unsigned node) const;
    [[nodiscard]] std::string trace(unsigned node) const;
    /// The node's paths to the voting files of the first set.
    [[nodiscard]] std::vector<std::string> first_set(unsigned node) const;
    /// The node's own nodes file has the nodes 1 to `listed`. At first it has all.
    void write_nodes_file(unsigned node, unsigned listed) const;
    /// What the node's cssd.conf gives as voting files, for its daemon's next start.
    void configure_files(unsigned node, const std::vector<std::string>& paths) const;
    /// A line for a failed test: what every node thinks, and where the logs are.
    [[nodiscard]] std::string story();
    /// The directory with all logs outlives this object, by another name (story()).
    void keep_logs() { keep_logs_ = true; }

    /// Starts the daemon, waits until it answers, and follows its events. False: it does not
    /// answer.
    [[nodiscard]] bool start(unsigned node);
    /// Starts all nodes at once and waits until a record of all is complete on each of them.
    [[nodiscard]] bool form();
    /// A test client on this node writes a line whenever it may act, until it is killed.
    void start_client(unsigned node);

    /// The wall clock of this node's daemon, and of no one else, is so far off from now on.
    /// own_wall_clocks only.
    void step_wall_clock(unsigned node, std::chrono::seconds by) const;

    /// Power off: the daemon, its guardians and all clients die at once. Returns when it happened.
    Nanos power_off(unsigned node);
    /// True when daemon and client have ended within the time. Guardians may go on, for the next
    /// life.
    [[nodiscard]] bool wait_ended(unsigned node, milliseconds patience = kPatience);
    /// True when no process is left in the node's namespace within the time.
    [[nodiscard]] bool wait_silent(unsigned node, milliseconds patience = kPatience);
    [[nodiscard]] Child& daemon(unsigned node) { return at(node).daemon; }
    [[nodiscard]] Child& client(unsigned node) { return at(node).client; }
    [[nodiscard]] std::vector<pid_t> processes(unsigned node) const;

    Finished crsctl(unsigned node, Words words, milliseconds patience = std::chrono::seconds{60});
    /// The same, without waiting for it.
    [[nodiscard]] Child begin_crsctl(unsigned node, Words words) const;
    Finished olsnodes(unsigned node, Words words = {});

    /// The first matching event told by this node at or after `since`, if it comes in time.
    std::optional<Told> wait_told(unsigned node,
                                  const Matches& matches,
                                  Nanos since = 0,
                                  milliseconds patience = kPatience);
    /// Whether all these nodes are told in time that a record with exactly these members is
    /// complete.
    [[nodiscard]] bool wait_complete(const Members& members,
                                     Nanos since = 0,
                                     milliseconds patience = kPatience);
    /// Lets time pass while the events are taken in: for what must NOT happen.
    void watch_for(milliseconds time);
    /// Whether it comes true in time; events are taken in meanwhile.
    bool wait_until(const std::function<bool()>& holds, milliseconds patience = kPatience);
    [[nodiscard]] const std::vector<Told>& told_by(unsigned node);

    /// PROTOCOL 9, 'No split brain', judged from the clients' lines and the events of all nodes so
    /// far: one sentence for each line that a client wrote after another node was told that its
    /// node's eviction is complete. Also what breaks 'Agreement' and 'Monotonic'.
    std::vector<std::string> violations();
    /// Lines that the clients of this node wrote so far.
    [[nodiscard]] std::vector<Acted> acted(unsigned node) const;
    std::size_t client_lines(unsigned node) const;
    /// When the client of this node last wrote a line; 0: never.
    Nanos last_client_line(unsigned node) const;
    /// What clients wrote and nodes told so far is judged no more: for labs that live for hours.
    void forget();

private:
    struct Node {
        Child daemon;
        Child client;
        EventLog events;
    };

    Node& at(unsigned node) { return *nodes_.at(node - 1); }
    [[nodiscard]] std::string node_dir(unsigned node) const;
    [[nodiscard]] std::string client_log(unsigned node) const;
    void write_configuration();
    void format();
    [[nodiscard]] std::string wall_clock(unsigned node) const;
    /// A command line of a tool that asks this node's daemon.
    [[nodiscard]] Words tool(const std::string& program, unsigned node, Words words) const;

    LabOptions options_;
    std::string directory_;
    Network network_;
    VotingDisks disks_;
    std::vector<std::unique_ptr<Node>> nodes_;
    bool keep_logs_ = false;
};

}  // namespace css::e2e
