#pragma once

#include <string>

#include "cssd/config/log_level.h"
#include "cssd/group/engine.h"
#include "cssd/runtime/render.h"

/// What people read of the group layer: `grep GRP` in cssd.trc.
namespace css::runtime {

config::LogLevel group_level(const group::Notice& notice);
std::string group_line(const group::Notice& notice, const Names& names);
/// For the alert log; empty when an operator need not know.
std::string group_alert(const group::Notice& notice, const Names& names);

}  // namespace css::runtime
