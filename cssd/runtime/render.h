#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cssd/base/types.h"
#include "cssd/config/log_level.h"
#include "cssd/core/notice.h"
#include "cssd/runtime/event.h"

namespace css::runtime {

/// What numbers are called on this node.
struct Names {
    NodeNumber self;
    PerNode<std::string> nodes;  ///< Empty: not configured.
    PerFile<std::string> files;  ///< Paths; empty: not in the table.
    std::string trace_file;      ///< Path of cssd.trc, named in alert lines.

    /// The node's name, or `#7` when it has none.
    [[nodiscard]] std::string node(NodeNumber n) const;
    [[nodiscard]] std::string file(FileIndex f) const;
    /// Names separated by blanks, in order of their numbers.
    [[nodiscard]] std::string list(NodeSet nodes_set) const;
};

/// The alert.log lines of a notice, from the CRS code on (INTERFACE, Logs); none when an operator
/// need not know.
std::vector<std::string> alert_lines(const core::Notice& notice, const Names& names);

/// A line of cssd.trc. Contains the word NHB, DHB, LHB or RCFG of the story that it belongs to.
struct TraceLine {
    config::LogLevel level = config::LogLevel::kInfo;
    std::string_view function;
    std::string text;
};
TraceLine trace_line(const core::Notice& notice, const Names& names);

/// The event of a notice; nothing when it is no part of the membership's story.
std::optional<Event> event_of(const core::Notice& notice, const Names& names, const When& when);

// Words for people, used in lines, events and status alike.
std::string_view words(RecordCause cause);
std::string_view words(core::ConfirmRule rule);
std::string_view words(core::StopReason reason);
std::string_view words(core::StartRefusal refusal);

// Alert lines of the daemon's own life, which no notice tells.
std::string alert_started();                                        ///< CRS-1713
std::string alert_stopped(std::string_view node);                   ///< CRS-1603
std::string alert_fatal(std::string_view tag, const Names& names);  ///< CRS-1656
std::string alert_undiscovered(const Names& names);                 ///< CRS-1714

}  // namespace css::runtime
