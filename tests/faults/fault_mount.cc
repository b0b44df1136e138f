#include "tests/faults/fault_mount.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/unique_fd.h"

namespace css::e2e {
namespace {

/// From now on mounts are of this process and its children.
void mount_privately() {
    static const bool done = ::unshare(CLONE_NEWNS) == 0 &&
                             ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    CSS_CHECK(done);
}

UniqueFd call(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(&address.sun_path[0], sizeof address.sun_path, "%s", path.c_str());
    UniqueFd caller{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    void* const any = &address;
    if (::connect(caller.get(), static_cast<sockaddr*>(any), sizeof address) != 0) {
        caller.reset();
    }
    return caller;
}

}  // namespace

FaultMount::FaultMount(const std::string& backing, std::string directory)
    : directory_(std::move(directory)), socket_(directory_ + ".sock") {
    mount_privately();
    CSS_CHECK(::mkdir(directory_.c_str(), 0755) == 0);
    std::array<int, 2> ends{};
    CSS_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const UniqueFd from_server{ends[0]};
    UniqueFd to_us{ends[1]};
    server_ = Child{{CSS_E2E_FAULT_FS, backing, directory_, socket_},
                    {.output = directory_ + ".out", .stdout_fd = to_us.get()}};
    to_us.reset();
    std::array<char, 8> ready{};
    CSS_CHECK(::read(from_server.get(), ready.data(), ready.size()) > 0);  // Else it has ended.
}

FaultMount::~FaultMount() {
    server_.signal(SIGTERM);
    if (!server_.wait(std::chrono::seconds{5})) {
        server_.kill();
    }
    ::umount2(directory_.c_str(), MNT_DETACH);
}

void FaultMount::fault(const std::string& verb, const std::string& file, unsigned amount) const {
    const std::string command = verb + " " + file + " " + std::to_string(amount);
    const UniqueFd caller = call(socket_);
    std::array<char, 64> answer{};
    CSS_CHECK(::send(caller.get(), command.data(), command.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(command.size()));
    const ssize_t size = ::recv(caller.get(), answer.data(), answer.size(), 0);
    CSS_CHECK(size > 0);
    CSS_CHECK(std::string(answer.data(), static_cast<std::size_t>(size)) == "ok");
}

}  // namespace css::e2e
