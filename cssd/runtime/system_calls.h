#pragma once

#include <string>

#include "cssd/base/result.h"
#include "cssd/config/config.h"

namespace css::runtime {

/// Has the kernel refuse system calls to the calling thread and all that it starts later; sets
/// no_new_privs. The answer says what is refused. What io_uring is asked for by its ring does not
/// pass here.
Result<std::string> refuse_system_calls(config::Sandbox sandbox);

}  // namespace css::runtime
