#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "cssd/config/config.h"
#include "cssd/runtime/agreement.h"
#include "cssd/runtime/control.h"
#include "cssd/runtime/core_host.h"
#include "cssd/runtime/file_changer.h"
#include "cssd/runtime/groups.h"
#include "cssd/runtime/key_change.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/network.h"
#include "cssd/runtime/requests.h"
#include "cssd/runtime/story.h"
#include "cssd/runtime/voting_files.h"

namespace css::runtime {

/// What may be changed while the daemon runs and lasts longer than one instance.
struct Standing {
    bool standby = false;
    std::uint32_t weight = 1;
};

/// The daemon as the control socket sees it.
class Backend final : public ControlBackend {
public:
    struct Parts {
        const config::Config& config;
        const Network& network;
        CoreHost& core;
        VotingFiles& files;
        Requests& requests;
        FileChanger& file_changer;
        const Groups& groups;
        FileAgreement& nodes_agreement;
        KeyChange& key_change;
        const Story& story;
        Log& log;
        /// Asked to leave before there is a core.
        std::function<void()> leave_without_core;
    };
    explicit Backend(Parts parts);

    DaemonView view() override;
    std::vector<Event> history() override;
    nlohmann::json groups() override;
    void submit(const Request& request, Completion done) override;
    void change_voting_files(const FileChange& change, Answered done) override;
    void reload_nodes(Answered done) override;
    void replace_key(Answered done) override;
    void set_log_level(config::LogLevel level) override;
    Status save_key(std::string_view key, std::string_view value) override;

    // Any thread.
    [[nodiscard]] Names names() const;
    [[nodiscard]] Standing standing() const;
    /// What keeps the daemon from going on, besides the voting files; empty: nothing.
    void set_fault(std::string fault);
    /// Does not join again until it is enabled, because.
    void stay_out(std::string why);
    void set_realtime_priority(unsigned in_force);
    /// `why`: not armed, because; empty: armed.
    void set_watchdog(std::string why);
    void set_can_reset(bool can_reset);

private:
    void submit_without_core(const Request& request, const Completion& done);
    void keep(const Request& request);
    [[nodiscard]] std::vector<VotingFileRow> file_rows(const core::StatusView& status) const;

    const Parts parts_;
    mutable std::mutex mutex_;  ///< Guards all below.
    Standing standing_;
    std::string fault_;
    std::string stays_out_;
    unsigned realtime_priority_ = 0;
    std::optional<std::string> unwatched_{""};  ///< Nothing: the watchdog is armed.
    bool can_reset_ = true;
};

}  // namespace css::runtime
