#include "cssd/runtime/control_listen.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cssd/runtime/control_socket.h"

namespace css::runtime {
namespace {

Error failure(const std::string& what, int number) {
    return Error{.code = ErrorCode::kSystem,
                 .system_errno = number,
                 .message = what + ": " + std::strerror(number)};
}

}  // namespace

Privilege privilege_of(int socket) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return Privilege::kNone;
    }
    const bool trusted = peer.uid == 0 || peer.uid == ::geteuid();
    return trusted ? Privilege::kAdministrator : Privilege::kNone;
}

Result<Fd> lock_run_dir(const std::string& run_dir) {
    std::error_code failed;
    std::filesystem::create_directories(run_dir, failed);
    const std::string path = control_path(run_dir) + ".lock";
    Fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (fd.get() < 0) {
        return failure(path, errno);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{.code = ErrorCode::kConflict,
                     .system_errno = errno,
                     .message = run_dir + ": another daemon serves this run_dir"};
    }
    return fd;
}

Result<Fd> listen_at(const std::string& run_dir) {
    const auto address = control_address(run_dir);
    if (!address) {
        return address.error();
    }
    const std::string path = control_path(run_dir);
    ::unlink(path.c_str());
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    constexpr mode_t kAnybody = 0666;  // What they may do is decided per request.
    if (fd.get() < 0 || ::bind(fd.get(), as_sockaddr(*address), sizeof(sockaddr_un)) != 0 ||
        ::chmod(path.c_str(), kAnybody) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
        return failure(path, errno);
    }
    return fd;
}

}  // namespace css::runtime
