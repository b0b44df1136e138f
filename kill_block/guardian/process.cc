#include "kill_block/guardian/process.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>

namespace css::guardian {

pid_t pid_of(int pidfd) {
    std::array<char, 48> path{};
    static_cast<void>(std::snprintf(path.data(), path.size(), "/proc/self/fdinfo/%d", pidfd));
    const int fd = open(path.data(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    std::array<char, 512> text{};
    const ssize_t got = read(fd, text.data(), text.size() - 1);
    close(fd);
    const char* line = got > 0 ? std::strstr(text.data(), "\nPid:") : nullptr;
    const long pid = line == nullptr ? 0 : std::strtol(line + 5, nullptr, 10);
    return pid > 0 ? static_cast<pid_t>(pid) : 0;
}

}  // namespace css::guardian
