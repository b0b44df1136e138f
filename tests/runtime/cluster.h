#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/e2e/harness/process.h"

namespace css::e2e {

/// Daemons on 127.0.77.N of this host, with plain voting files in a directory of this test: needs
/// no privileges. What the test started ends with this object, guardians included.
class LoopbackCluster {
public:
    static constexpr milliseconds kMisscount{2000};
    static constexpr milliseconds kPatience = std::chrono::seconds{40};

    LoopbackCluster(unsigned nodes, unsigned files);
    ~LoopbackCluster();
    LoopbackCluster(const LoopbackCluster&) = delete;
    LoopbackCluster& operator=(const LoopbackCluster&) = delete;
    LoopbackCluster(LoopbackCluster&&) = delete;
    LoopbackCluster& operator=(LoopbackCluster&&) = delete;

    [[nodiscard]] std::string run_dir(unsigned node) const;
    [[nodiscard]] std::string config_file(unsigned node) const;
    [[nodiscard]] std::string voting_file(unsigned file) const;
    /// Formats all voting files, or, with a name, one more that belongs to nothing else.
    void format();
    void format_foreign(unsigned file);

    void start(unsigned node);
    Child& daemon(unsigned node) { return daemons_.at(node - 1); }
    /// SIGKILL to the daemon and to its guardians.
    void crash(unsigned node);

    /// The daemon's status document; nothing when it does not answer.
    [[nodiscard]] std::optional<nlohmann::json> view(unsigned node) const;
    /// Looks at the status until `holds`, for kPatience at most.
    bool wait_view(unsigned node, const std::function<bool(const nlohmann::json&)>& holds) const;
    /// Until a record of exactly `members` is complete on `node` and it may act.
    bool wait_members(unsigned node, const std::vector<std::string>& members) const;
    [[nodiscard]] std::vector<pid_t> guardians(unsigned node) const;
    [[nodiscard]] std::string alert_log(unsigned node) const;
    /// True when the text comes into the alert log in time.
    bool wait_alert(unsigned node, const std::string& text) const;

private:
    [[nodiscard]] std::string node_dir(unsigned node) const;
    void write_configuration();

    unsigned nodes_;
    unsigned files_;
    std::string directory_;
    std::vector<Child> daemons_;
};

}  // namespace css::e2e
