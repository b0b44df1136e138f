#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/config/keys.h"

namespace css::config {
namespace {

constexpr std::string_view kBlanks = " \t\r";

Error system_error(const std::string& file, int number) {
    return Error{.code = ErrorCode::kSystem,
                 .system_errno = number,
                 .message = file + ": " + std::strerror(number)};
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// The line without its comment.
std::string_view content_of(std::string_view line) {
    return trimmed(line.substr(0, line.find('#')));
}

Result<std::string> read_file(const std::string& file) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0) {
        return system_error(file, errno);
    }
    constexpr off_t kSizeMax = 1 << 20;
    if (!S_ISREG(about.st_mode) || about.st_size > kSizeMax) {
        return Error{.message = file + ": give a configuration file, a text of 1 MiB at most"};
    }
    errno = 0;
    std::ifstream stream{file, std::ios::binary};
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) {
        return system_error(file, errno != 0 ? errno : EIO);
    }
    return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// Writes all of `text` to a new file beside `file`, with the owner and mode of `file`.
Status write_beside(const std::string& file, const std::string& fresh, const std::string& text) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0) {
        return system_error(file, errno);
    }
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return system_error(fresh, errno);
    }
    int failed = 0;
    std::string_view rest = text;
    while (failed == 0 && !rest.empty()) {
        const ssize_t written = ::write(fd, rest.data(), rest.size());
        if (written < 0) {
            failed = errno == EINTR ? 0 : errno;
        } else {
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    if (failed == 0 && ::fchown(fd, about.st_uid, about.st_gid) != 0) {
        failed = errno;
    }
    if (failed == 0 && (::fchmod(fd, about.st_mode & 07777U) != 0 || ::fsync(fd) != 0)) {
        failed = errno;
    }
    if (::close(fd) != 0 && failed == 0) {
        failed = errno;
    }
    if (failed != 0) {
        return system_error(fresh, failed);
    }
    return Done{};
}

}  // namespace

Result<std::vector<Assignment>> read_assignments(const std::string& file) {
    const auto text = read_file(file);
    if (!text) {
        return text.error();
    }
    std::vector<Assignment> assignments;
    unsigned number = 0;
    for (const auto& line : lines_of(*text)) {
        ++number;
        const std::string_view content = content_of(line);
        if (content.empty()) {
            continue;
        }
        const auto equals = content.find('=');
        if (equals == std::string_view::npos || trimmed(content.substr(0, equals)).empty()) {
            return Error{.message = file + ":" + std::to_string(number) + ": '" +
                                    std::string{content} + "' is wrong: write key = value"};
        }
        assignments.push_back({.key = std::string{trimmed(content.substr(0, equals))},
                               .value = std::string{trimmed(content.substr(equals + 1))},
                               .line = number});
    }
    return assignments;
}

Status save_key(const std::string& file, std::string_view key, std::string_view value) {
    const Key* const known = find_key(key);
    Config scratch;
    if (known == nullptr || known->times != Times::kOnce) {
        return Error{.message = "'" + std::string{key} + "' is no key that can be saved"};
    }
    if (auto set = known->set(scratch, value); !set) {
        return set;
    }
    const auto text = read_file(file);
    if (!text) {
        return text.error();
    }
    const std::string wanted = std::string{key} + " = " + std::string{value};
    std::string result;
    bool replaced = false;
    for (const auto& line : lines_of(*text)) {
        const std::string_view content = content_of(line);
        const bool sets_it = trimmed(content.substr(0, content.find('='))) == key;
        result += (sets_it ? wanted : line) + "\n";
        replaced = replaced || sets_it;
    }
    if (!replaced) {
        result += wanted + "\n";
    }
    // The name differs from process to process, so a file that a crash left behind harms nobody.
    const std::string fresh = file + "." + std::to_string(::getpid()) + ".new";
    if (auto written = write_beside(file, fresh, result); !written) {
        ::unlink(fresh.c_str());
        return written;
    }
    if (::rename(fresh.c_str(), file.c_str()) != 0) {
        const int failed = errno;
        ::unlink(fresh.c_str());
        return system_error(file, failed);
    }
    return Done{};
}

}  // namespace css::config
