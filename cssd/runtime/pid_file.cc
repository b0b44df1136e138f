#include "cssd/runtime/pid_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace css::runtime {
namespace {

Error system_error(const std::string& path) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, path + ": " + std::strerror(number)};
}

std::string holder_of(int fd) {
    std::array<char, 16> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size() - 1, 0);
    std::string pid{text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    pid.erase(std::min(pid.find('\n'), pid.size()));
    return pid;
}

/// True while `fd` is what `path` names: a daemon that ended may have removed it in between.
bool is_named_by(int fd, const std::string& path) {
    struct stat here {};
    struct stat there {};
    return ::fstat(fd, &here) == 0 && ::stat(path.c_str(), &there) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

}  // namespace

Result<std::unique_ptr<PidFile>> PidFile::take(const std::string& run_dir) {
    std::error_code failure;
    std::filesystem::create_directories(run_dir, failure);
    if (failure) {
        return Error{ErrorCode::kSystem, failure.value(), run_dir + ": " + failure.message()};
    }
    const std::string path = run_dir + "/cssd.pid";
    for (;;) {
        UniqueFd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)};
        if (!fd.is_open()) {
            return system_error(path);
        }
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            return Error{ErrorCode::kConflict,
                         errno,
                         "another cssd (pid " + holder_of(fd.get()) + ") serves " + run_dir};
        }
        if (!is_named_by(fd.get(), path)) {
            continue;
        }
        const std::string text = std::to_string(::getpid()) + '\n';
        if (::ftruncate(fd.get(), 0) != 0 ||
            ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
            return system_error(path);
        }
        return std::unique_ptr<PidFile>{new PidFile{path, std::move(fd)}};
    }
}

PidFile::~PidFile() {
    static_cast<void>(::unlink(path_.c_str()));
}

}  // namespace css::runtime
