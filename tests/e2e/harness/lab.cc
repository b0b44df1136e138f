#include "tests/e2e/harness/lab.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/unique_fd.h"
#include "cssd/config/duration.h"
#include "cssd/runtime/control_client.h"
#include "tests/e2e/harness/overlap.h"
#include "tests/e2e/harness/scratch.h"

namespace css::e2e {
namespace {

constexpr const char* kClusterName = "lab";

bool can_make_namespace() {
    const Finished tried = run({"unshare", "--net", "true"});
    return tried.ok();
}

std::string contents_of(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

std::string missing_here() {
    if (::geteuid() != 0) {
        return "needs root, for network namespaces and loop devices";
    }
    if (!can_make_namespace()) {
        return "needs network namespaces (unshare --net fails here)";
    }
    if (::access("/dev/loop-control", R_OK | W_OK) != 0) {
        return "needs loop devices (no usable /dev/loop-control)";
    }
    return "";
}

Lab::Lab(const LabOptions& options)
    : options_(options),
      directory_(make_scratch()),
      network_(options.nodes, options.networks),
      disks_(
          {options.disks, options.nodes, options.files + options.spare_files, options.sector_size},
          directory_) {
    for (unsigned node = 1; node <= options_.nodes; ++node) {
        nodes_.push_back(std::make_unique<Node>());
    }
    write_configuration();
    for (unsigned node = 1; options_.own_wall_clocks && node <= options_.nodes; ++node) {
        step_wall_clock(node, std::chrono::seconds{0});
    }
    format();
    // Whatever the fence action, no test resets this machine.
    CSS_CHECK(::setenv("CSS_RESET_FILE", (directory_ + "/reset").c_str(), 1) == 0);
}

Lab::~Lab() {
    for (unsigned node = 1; node <= options_.nodes; ++node) {
        (void)power_off(node);
        (void)wait_silent(node);
    }
    nodes_.clear();
    keep_logs_ ? keep_scratch(directory_) : remove_scratch(directory_);
}

Members Lab::everybody() const {
    Members all;
    for (unsigned node = 1; node <= options_.nodes; ++node) {
        all.insert(node);
    }
    return all;
}

std::string Lab::node_dir(unsigned node) const {
    return directory_ + "/" + node_name(node);
}

void Lab::configure_files(unsigned node, const std::vector<std::string>& paths) const {
    const std::string path = node_dir(node) + "/cssd.conf";
    std::istringstream before{contents_of(path)};
    std::ofstream file{path};
    for (std::string line; std::getline(before, line);) {
        if (!line.starts_with("voting_file")) {
            file << line << '\n';
        }
    }
    for (const std::string& each : paths) {
        file << "voting_file = " << each << '\n';
    }
    CSS_CHECK(file.flush().good());
}

std::string Lab::client_log(unsigned node) const {
    return node_dir(node) + "/client.log";
}

std::string Lab::alert_log(unsigned node) const {
    return contents_of(node_dir(node) + "/log/alert.log");
}

std::string Lab::trace(unsigned node) const {
    return contents_of(node_dir(node) + "/log/cssd.trc");
}

std::vector<std::string> Lab::first_set(unsigned node) const {
    std::vector<std::string> paths = disks_.paths(node);
    paths.resize(options_.files);
    return paths;
}

void Lab::write_configuration() {
    for (unsigned node = 1; node <= options_.nodes; ++node) {
        CSS_CHECK(::mkdir(node_dir(node).c_str(), 0755) == 0);
        CSS_CHECK(::mkdir(run_dir(node).c_str(), 0755) == 0);
        write_nodes_file(node, options_.nodes);
        std::ofstream config{node_dir(node) + "/cssd.conf"};
        config << "cluster_name = " << kClusterName << "\nnodes_file = " << node_dir(node)
               << "/nodes\nkey_file = " << key_file(node) << "\nrun_dir = " << run_dir(node)
               << "\nlog_dir = " << node_dir(node)
               << "/log\nfence_action = " << options_.fence_action << '\n';
        for (const std::string& path : first_set(node)) {
            config << "voting_file = " << path << '\n';
        }
        config << options_.more_configuration;
    }
    put_key("", everybody());
}

void Lab::put_key(const std::string& suffix, const Members& nodes) const {
    const std::string first = key_file(*nodes.begin()) + suffix;
    must_run({CSS_E2E_CRSCTL, "create", "css", "key", first});
    for (const unsigned node : nodes) {
        if (node != *nodes.begin()) {
            std::filesystem::copy_file(first, key_file(node) + suffix);
        }
    }
}

void Lab::write_nodes_file(unsigned node, unsigned listed) const {
    std::ofstream nodes{node_dir(node) + "/nodes"};
    for (unsigned other = 1; other <= listed; ++other) {
        nodes << node_name(other);
        for (unsigned k = 1; k <= options_.networks; ++k) {
            nodes << ' ' << network_.address(other, k);
        }
        nodes << '\n';
    }
}

void Lab::format() {
    Words words{CSS_E2E_VOTEFILE,
                "create",
                "--cluster-name",
                kClusterName,
                "--misscount",
                config::format_duration(options_.misscount),
                "--disktimeout",
                config::format_duration(options_.disktimeout),
                "--reboottime",
                config::format_duration(options_.reboottime)};
    const std::vector<std::string> paths = first_set(1);
    words.insert(words.end(), paths.begin(), paths.end());
    must_run(words);
}

std::string Lab::wall_clock(unsigned node) const {
    return node_dir(node) + "/wall_clock";
}

void Lab::step_wall_clock(unsigned node, std::chrono::seconds by) const {
    CSS_CHECK(options_.own_wall_clocks);
    const std::int64_t seconds = by.count();
    const UniqueFd file{::open(wall_clock(node).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    CSS_CHECK(::pwrite(file.get(), &seconds, sizeof seconds, 0) == sizeof seconds);
}

bool Lab::start(unsigned node) {
    Words words{CSS_E2E_CSSD, "--config", node_dir(node) + "/cssd.conf"};
    if (options_.own_wall_clocks) {
        words.insert(words.begin(),
                     {"env",
                      std::string{"LD_PRELOAD="} + CSS_E2E_WALL_CLOCK,
                      "CSS_WALL_CLOCK=" + wall_clock(node)});
    }
    words.insert(words.begin(), options_.start_with.begin(), options_.start_with.end());
    at(node).daemon = Child{
        words,
        {.network_namespace = network_.namespace_of(node), .output = node_dir(node) + "/cssd.out"}};
    const bool answers = wait_until(
        [this, node] {
            return !at(node).daemon.running() ||
                   runtime::ControlClient::connect(run_dir(node)).has_value();
        },
        kPatience);
    if (!answers || !at(node).daemon.running()) {
        return false;
    }
    at(node).events.follow(CSS_E2E_CRSCTL, run_dir(node));
    return true;
}

bool Lab::form() {
    const Nanos begin = boottime_now();
    for (const unsigned node : everybody()) {
        if (!start(node)) {
            return false;
        }
    }
    return wait_complete(everybody(), begin);
}

void Lab::start_client(unsigned node) {
    at(node).client = Child{{CSS_E2E_CLIENT,
                             "--run-dir",
                             run_dir(node),
                             "--node",
                             std::to_string(node),
                             "--out",
                             client_log(node),
                             "--period-us",
                             "2000"},
                            {.network_namespace = network_.namespace_of(node),
                             .output = node_dir(node) + "/client.out"}};
}

Nanos Lab::power_off(unsigned node) {
    // Nobody may see another one go and say so: that is not how power goes.
    const std::vector<pid_t> all = processes(node);
    for (const pid_t pid : all) {
        (void)::kill(pid, program_of(pid).starts_with("cssd") ? SIGSTOP : SIGKILL);
    }
    const Nanos when = boottime_now();
    for (const pid_t pid : all) {
        (void)::kill(pid, SIGKILL);
    }
    at(node).daemon.kill();
    at(node).client.kill();
    return when;
}

bool Lab::wait_ended(unsigned node, milliseconds patience) {
    return wait_until(
        [this, node] { return !at(node).daemon.running() && !at(node).client.running(); },
        patience);
}

bool Lab::wait_silent(unsigned node, milliseconds patience) {
    return wait_ended(node, patience) &&
           wait_until([this, node] { return processes(node).empty(); }, patience);
}

std::vector<pid_t> Lab::processes(unsigned node) const {
    return processes_in(network_.namespace_of(node));
}

Words Lab::tool(const std::string& program, unsigned node, Words words) const {
    words.insert(words.begin(), {program, "--run-dir", run_dir(node)});
    return words;
}

Finished Lab::crsctl(unsigned node, Words words, milliseconds patience) {
    return run(tool(CSS_E2E_CRSCTL, node, std::move(words)), network_.namespace_of(node), patience);
}

Child Lab::begin_crsctl(unsigned node, Words words) const {
    return Child{tool(CSS_E2E_CRSCTL, node, std::move(words)),
                 {.network_namespace = network_.namespace_of(node)}};
}

Finished Lab::olsnodes(unsigned node, Words words) {
    return run(tool(CSS_E2E_OLSNODES, node, std::move(words)), network_.namespace_of(node));
}

bool Lab::wait_until(const std::function<bool()>& holds, milliseconds patience) {
    // What is waited for may also change without an event, so it is looked at this often besides.
    constexpr int kLookMillis = 20;
    const Nanos deadline = boottime_now() + nanos(patience);
    for (;;) {
        for (const auto& node : nodes_) {
            node->events.pump();
        }
        if (holds()) {
            return true;
        }
        if (boottime_now() >= deadline) {
            return false;
        }
        std::vector<pollfd> streams;
        for (const auto& node : nodes_) {
            streams.push_back({node->events.fd(), POLLIN, 0});
        }
        (void)::poll(streams.data(), streams.size(), kLookMillis);
    }
}

std::optional<Told> Lab::wait_told(unsigned node,
                                   const Matches& matches,
                                   Nanos since,
                                   milliseconds patience) {
    std::optional<Told> found;
    (void)wait_until(
        [&] {
            found = at(node).events.find(matches, since);
            return found.has_value();
        },
        patience);
    return found;
}

bool Lab::wait_complete(const Members& members, Nanos since, milliseconds patience) {
    return wait_until(
        [&] {
            return std::ranges::all_of(members, [&](unsigned node) {
                return at(node).events.find(complete(members), since).has_value();
            });
        },
        patience);
}

void Lab::watch_for(milliseconds time) {
    (void)wait_until([] { return false; }, time);
}

const std::vector<Told>& Lab::told_by(unsigned node) {
    at(node).events.pump();
    return at(node).events.all();
}

std::vector<std::string> Lab::violations() {
    std::map<unsigned, std::vector<Told>> told;
    std::map<unsigned, std::vector<Acted>> acted;
    for (const unsigned node : everybody()) {
        told[node] = told_by(node);
        acted[node] = read_client_log(client_log(node));
    }
    return find_violations(told, acted);
}

std::size_t Lab::client_lines(unsigned node) const {
    return acted(node).size();
}

std::vector<Acted> Lab::acted(unsigned node) const {
    return read_client_log(client_log(node));
}

Nanos Lab::last_client_line(unsigned node) const {
    const auto lines = read_client_log(client_log(node));
    return lines.empty() ? 0 : lines.back().time;
}

void Lab::forget() {
    for (const unsigned node : everybody()) {
        at(node).events.forget();
        // The client appends. No file: it has not acted yet.
        CSS_CHECK(::truncate(client_log(node).c_str(), 0) == 0 || errno == ENOENT);
    }
}

std::string Lab::story() {
    keep_logs();
    std::string text = "logs kept in " + kept_scratch(directory_) + "\n";
    for (const unsigned node : everybody()) {
        text += node_name(node) + (at(node).daemon.running() ? " runs" : " does not run") + "\n";
        for (const Told& event : told_by(node)) {
            text += "  " + std::to_string(as_millis(event.time)) + " " + event.type + " " +
                    std::to_string(event.node) + " #" + std::to_string(event.incarnation) + " " +
                    event.file + " " + event.reason + "\n";
        }
    }
    return text;
}

}  // namespace css::e2e
