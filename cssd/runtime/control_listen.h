#pragma once

#include <string>
#include <utility>

#include <unistd.h>

#include "cssd/base/result.h"
#include "cssd/runtime/control_requests.h"

/// How the control socket comes to be.
namespace css::runtime {

/// A file descriptor with one owner.
class Fd {
public:
    explicit Fd(int fd = -1) : fd_{fd} {}
    ~Fd() { reset(-1); }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    Fd(Fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    Fd& operator=(Fd&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    void reset(int fd) {
        if (fd_ >= 0) {
            ::close(fd_);
        }
        fd_ = fd;
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

/// Holds the run directory for one server: whoever has the lock may replace the socket. Makes the
/// directory if it is missing. kConflict: somebody else has it.
Result<Fd> lock_run_dir(const std::string& run_dir);
/// A fresh listening socket that anybody may connect to.
Result<Fd> listen_at(const std::string& run_dir);
/// What the process at the other end may ask for, by the credentials it had when it connected.
Privilege privilege_of(int socket);

}  // namespace css::runtime
