#include "cssd/runtime/log_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace css::runtime {

LogFile::LogFile(std::string path, Limits limits) : path_{std::move(path)}, limits_{limits} {}

LogFile::~LogFile() {
    close();
}

void LogFile::close() {
    if (fd_ >= 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

Status LogFile::open() {
    close();
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path{path_}.parent_path(), failed);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd_ < 0) {
        return Error{.code = ErrorCode::kSystem,
                     .system_errno = errno,
                     .message = path_ + ": " + std::strerror(errno)};
    }
    struct stat about {};
    size_ = ::fstat(fd_, &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
    torn_ = false;
    return Done{};
}

bool LogFile::append(std::string_view line) {
    reopen_if_moved();
    if (limits_.size_max != 0 && size_ > 0 && size_ + line.size() > limits_.size_max) {
        rotate();
    }
    if (fd_ < 0) {
        return false;
    }
    const std::string text = (torn_ ? "\n" : "") + std::string{line};
    std::string_view rest = text;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd_, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            torn_ = torn_ || rest.size() < text.size();
            return false;
        }
        size_ += static_cast<std::uint64_t>(written);
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    torn_ = false;
    return true;
}

/// Looks once a second whether the path still names the open file.
void LogFile::reopen_if_moved() {
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ < std::chrono::seconds{1}) {
        return;
    }
    looked_ = now;
    struct stat named {};
    struct stat opened {};
    const bool same = fd_ >= 0 && ::stat(path_.c_str(), &named) == 0 &&
                      ::fstat(fd_, &opened) == 0 && named.st_ino == opened.st_ino &&
                      named.st_dev == opened.st_dev;
    if (!same) {
        static_cast<void>(open());  // Fails: append() says so, and the next second tries again.
    }
}

void LogFile::rotate() {
    const auto numbered = [this](unsigned i) { return path_ + "." + std::to_string(i); };
    for (unsigned i = limits_.files_max; i > 1; --i) {
        std::rename(numbered(i - 1).c_str(), numbered(i).c_str());
    }
    const bool kept = limits_.files_max > 0 && std::rename(path_.c_str(), numbered(1).c_str()) == 0;
    if (kept) {
        static_cast<void>(open());
    } else if (fd_ >= 0 && ::ftruncate(fd_, 0) == 0) {  // Nowhere to keep it: stay bounded.
        size_ = 0;
    }
}

}  // namespace css::runtime
