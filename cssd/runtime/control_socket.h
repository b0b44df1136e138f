#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "cssd/base/result.h"

/// Where the control socket is; shared by server and clients.
namespace css::runtime {

std::string control_path(const std::string& run_dir);
/// Refuses a path that does not fit into a socket address.
Result<sockaddr_un> control_address(const std::string& run_dir);
/// The socket calls take every kind of address through one type.
const sockaddr* as_sockaddr(const sockaddr_un& address);

}  // namespace css::runtime
