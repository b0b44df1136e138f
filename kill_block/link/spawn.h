#pragma once

#include <string>

#include "cssd/base/result.h"
#include "kill_block/link/guardian_link.h"

namespace css::guardian {

/// The directory with both guardian programs: `given`, or next to this program, or ../sbin from
/// there. Error: kInvalid.
Result<std::string> find_guardian_dir(const std::string& given);

/// Runs a guardian until it has detached itself and serves; also fine when one serves already.
/// Errors: kSystem, with what it said by its exit code. Blocks for at most `patience`.
Status spawn_guardian(const std::string& directory,
                      Which which,
                      const GuardianLinkOptions& options,
                      Duration patience);

}  // namespace css::guardian
