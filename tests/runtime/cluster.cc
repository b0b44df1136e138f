#include "tests/runtime/cluster.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "cssd/runtime/control_client.h"
#include "tests/e2e/harness/scratch.h"

namespace css::e2e {
namespace {

std::string contents_of(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

bool wait_for(const std::function<bool()>& holds) {
    const auto limit = std::chrono::steady_clock::now() + LoopbackCluster::kPatience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= limit) {
            return false;
        }
        std::this_thread::sleep_for(milliseconds{20});
    }
    return true;
}

}  // namespace

LoopbackCluster::LoopbackCluster(unsigned nodes, unsigned files)
    : nodes_(nodes), files_(files), directory_("/var/tmp/css-runtime-" + std::to_string(getpid())) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    daemons_.resize(nodes);
    write_configuration();
}

LoopbackCluster::~LoopbackCluster() {
    for (unsigned node = 1; node <= nodes_; ++node) {
        crash(node);
    }
    std::filesystem::remove_all(directory_);
}

std::string LoopbackCluster::node_dir(unsigned node) const {
    return directory_ + "/n" + std::to_string(node);
}
std::string LoopbackCluster::run_dir(unsigned node) const {
    return node_dir(node) + "/run";
}
std::string LoopbackCluster::config_file(unsigned node) const {
    return node_dir(node) + "/cssd.conf";
}
std::string LoopbackCluster::voting_file(unsigned file) const {
    return directory_ + "/vote" + std::to_string(file);
}
std::string LoopbackCluster::alert_log(unsigned node) const {
    return contents_of(node_dir(node) + "/log/alert.log");
}

void LoopbackCluster::write_configuration() {
    {
        std::ofstream key{directory_ + "/key"};
        for (int i = 0; i < 8; ++i) {
            key << "00112233";
        }
    }
    ::chmod((directory_ + "/key").c_str(), 0600);
    std::ofstream nodes{directory_ + "/nodes"};
    for (unsigned node = 1; node <= nodes_; ++node) {
        nodes << 'n' << node << " 127.0.77." << node << ":5599\n";
        std::filesystem::create_directories(node_dir(node));
        std::ofstream config{config_file(node)};
        config << "cluster_name = loopback\nnode_number = " << node
               << "\nnodes_file = " << directory_ << "/nodes\nkey_file = " << directory_
               << "/key\nrun_dir = " << run_dir(node) << "\nlog_dir = " << node_dir(node)
               << "/log\nfence_action = exit\nrealtime_priority = 0\n";
        for (unsigned file = 1; file <= files_; ++file) {
            config << "voting_file = " << voting_file(file) << '\n';
        }
    }
}

void LoopbackCluster::format() {
    Words words{CSS_E2E_VOTEFILE, "create", "--cluster-name", "loopback", "--misscount", "2"};
    for (const char* word : {"--disktimeout", "6", "--reboottime", "400ms"}) {
        words.emplace_back(word);
    }
    for (unsigned file = 1; file <= files_; ++file) {
        words.push_back(voting_file(file));
    }
    static_cast<void>(run(words));
}

void LoopbackCluster::format_foreign(unsigned file) {
    static_cast<void>(run(
        {CSS_E2E_VOTEFILE, "create", "--force", "--cluster-name", "loopback", voting_file(file)}));
}

void LoopbackCluster::start(unsigned node) {
    daemon(node) = Child{{CSS_E2E_CSSD, "--config", config_file(node)},
                         Place{.output = node_dir(node) + "/output"}};
}

std::vector<pid_t> LoopbackCluster::guardians(unsigned node) const {
    std::vector<pid_t> pids;
    for (const std::string name : {"cssdagent", "cssdmonitor"}) {
        const std::string text = contents_of(run_dir(node) + "/" + name + ".pid");
        const pid_t pid = text.empty() ? 0 : std::stoi(text);
        if (pid > 0 && program_of(pid) == name) {
            pids.push_back(pid);
        }
    }
    return pids;
}

void LoopbackCluster::crash(unsigned node) {
    for (const pid_t guardian : guardians(node)) {
        static_cast<void>(::kill(guardian, SIGKILL));
    }
    if (daemon(node).pid() > 0) {
        daemon(node).kill();
    }
}

std::optional<nlohmann::json> LoopbackCluster::view(unsigned node) const {
    auto client = runtime::ControlClient::connect(run_dir(node));
    if (!client || !client->send({{"request", "view"}})) {
        return std::nullopt;
    }
    auto answer = client->receive(milliseconds{5000});
    if (!answer) {
        return std::nullopt;
    }
    return *answer;
}

bool LoopbackCluster::wait_view(unsigned node,
                                const std::function<bool(const nlohmann::json&)>& holds) const {
    return wait_for([&] {
        const auto document = view(node);
        return document && holds(*document);
    });
}

bool LoopbackCluster::wait_members(unsigned node, const std::vector<std::string>& members) const {
    return wait_view(node, [&members](const nlohmann::json& document) {
        return document["members"] == members && document["may_act"] == true &&
               document["incarnation"] == document["complete_incarnation"];
    });
}

bool LoopbackCluster::wait_alert(unsigned node, const std::string& text) const {
    return wait_for([&] { return alert_log(node).find(text) != std::string::npos; });
}

}  // namespace css::e2e
