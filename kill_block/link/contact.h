#pragma once

#include "cssd/base/result.h"
#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/message.h"
#include "kill_block/link/guardian_link.h"

namespace css::guardian {

/// A guardian that has been told who we are.
struct Contact {
    UniqueFd socket;
    Message answer;  ///< To the hello: waiting.
};

/// Connects to a guardian, starting it if nobody answers, hands it the clients of former daemons
/// and says hello. One that is just shutting down closes the connection or still holds its lock:
/// tried again for two seconds. Blocks.
Result<Contact> reach(Which which, const GuardianLinkOptions& options);

/// As a message says it.
std::uint32_t flags_of(ClientForm form);

}  // namespace css::guardian
