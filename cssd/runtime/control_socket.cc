#include "cssd/runtime/control_socket.h"

namespace css::runtime {

std::string control_path(const std::string& run_dir) {
    return run_dir + "/cssd.sock";
}

Result<sockaddr_un> control_address(const std::string& run_dir) {
    const std::string path = control_path(run_dir);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return Error{.message = path + ": too long for a socket; give a run_dir of at most " +
                                std::to_string(sizeof(address.sun_path) - sizeof("/cssd.sock")) +
                                " characters"};
    }
    path.copy(address.sun_path, path.size());
    return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace css::runtime
