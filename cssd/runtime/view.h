#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cssd/base/types.h"
#include "cssd/config/log_level.h"
#include "cssd/core/arbiter.h"
#include "cssd/runtime/event.h"
#include "cssd/runtime/render.h"

namespace css::runtime {

struct VotingFileRow {
    FileIndex index;
    std::optional<FileUid> fuid;  ///< Nothing: the file has not been read yet.
    std::string path;
    core::FileState state = core::FileState::kOffline;
};

/// Everything a query may ask for, at one moment. Also what `/status` of the metrics shows.
struct DaemonView {
    When now;
    /// Before the voting files are found: self.node, phase, standby and weight as configured.
    core::StatusView status;
    Names names;
    PerNode<std::string> addresses;  ///< On the first interconnect, without the port; else empty.
    std::string cluster_name;
    std::optional<ClusterGuid> cluster_guid;  ///< Nothing: no voting file was read yet.
    std::vector<VotingFileRow> voting_files;
    bool watchdog_armed = false;
    std::string watchdog;            ///< Why it is not, where one is configured; else empty.
    bool can_reset = true;           ///< The guardians could reset this host.
    std::string fence_action;        ///< As in the configuration.
    std::string fault;               ///< What keeps the daemon from going on; empty: nothing.
    unsigned realtime_priority = 0;  ///< In force; 0: none, or refused by the system.
    config::LogLevel log_level = config::LogLevel::kInfo;
    std::uint64_t log_lines_lost = 0;  ///< Dropped or failed.
    std::optional<Event> last_eviction;
    std::uint32_t pid = 0;
};

/// State of a node as `query css members` shows it: ONLINE, UNREACHABLE (nothing heard on the
/// network for 5 s or a sixth of misscount, whichever is shorter), JOINING, EVICTING, LEFT,
/// FENCED, OFFLINE.
std::string_view member_state(const DaemonView& view, NodeNumber node);

/// The document that the control socket answers to `view`; its fields are described in view.cc.
nlohmann::json to_json(const DaemonView& view);

}  // namespace css::runtime
