#include "cssd/runtime/detach.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace css::runtime {
namespace {

Error system_error(const char* step) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, std::string{step} + ": " + std::strerror(number)};
}

/// The caller's process: one byte means that all is well; the end without one, that it is not.
[[noreturn]] void wait_for_start(int hear) {
    char byte = 0;
    ssize_t size = 0;
    do {
        size = ::read(hear, &byte, 1);
    } while (size < 0 && errno == EINTR);
    ::_exit(size == 1 ? 0 : 1);
}

}  // namespace

Result<Detached> Detached::now() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return system_error("pipe");
    }
    UniqueFd hear{ends[0]};
    UniqueFd tell{ends[1]};
    const pid_t child = ::fork();
    if (child < 0) {
        return system_error("fork");
    }
    if (child > 0) {
        tell.reset();
        wait_for_start(hear.get());
    }
    if (::setsid() < 0) {
        return system_error("setsid");
    }
    // Once more, so that it is no session leader and never gets a terminal.
    const pid_t grandchild = ::fork();
    if (grandchild < 0) {
        return system_error("fork");
    }
    if (grandchild > 0) {
        ::_exit(0);
    }
    return Detached{std::move(tell)};
}

void Detached::started() {
    const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    for (int fd = 0; fd <= 2 && null.is_open(); ++fd) {
        static_cast<void>(::dup2(null.get(), fd));
    }
    const char byte = 1;
    static_cast<void>(!::write(tell_.get(), &byte, 1));
    tell_.reset();
}

}  // namespace css::runtime
