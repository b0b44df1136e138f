#include "kill_block/guardian/cgroup.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"

namespace css::guardian {
namespace {

/// Cgroups nest; a deeper tree than this counts as populated.
constexpr int kDepthMax = 32;

bool write_to(int directory, const char* file, std::string_view text) {
    const UniqueFd fd{openat(directory, file, O_WRONLY | O_CLOEXEC)};
    return fd.is_open() &&
           write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// Sends a signal to every process that is in this cgroup now. 0: only counts. -1: cannot be read.
int signal_here(int directory, int signal) {
    const UniqueFd fd{openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC)};
    if (!fd.is_open()) {
        return errno == ENOENT || errno == ENODEV ? 0 : -1;
    }
    std::array<char, 4096> bytes{};
    int count = 0;
    int pid = 0;
    bool digits = false;
    for (;;) {
        const ssize_t got = read(fd.get(), bytes.data(), bytes.size());
        if (got < 0) {
            return errno == ENODEV ? count : -1;
        }
        if (got == 0) {
            return count;
        }
        for (ssize_t i = 0; i < got; ++i) {
            const char c = bytes[static_cast<std::size_t>(i)];
            if (c >= '0' && c <= '9') {
                pid = pid * 10 + (c - '0');
                digits = true;
                continue;
            }
            if (digits) {
                ++count;
                if (signal != 0 && pid > 1 && pid != getpid()) {  // 0: of another pid namespace.
                    kill(pid, signal);
                }
            }
            pid = 0;
            digits = false;
        }
    }
}

/// The part of the kernel's directory entry that getdents64 fills; libc's readdir allocates.
struct Entry {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
};
constexpr std::size_t kEntryNameAt = 19;

/// How many processes are in it and below it, each sent the signal. -1: some cannot be read.
int signal_tree(int directory, int signal, int depth) {
    int count = depth > kDepthMax ? -1 : signal_here(directory, signal);
    const UniqueFd entries{openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (count < 0 || !entries.is_open()) {
        return count < 0 ? -1 : count;
    }
    alignas(Entry) std::array<char, 2048> bytes{};
    for (;;) {
        const long got = syscall(SYS_getdents64, entries.get(), bytes.data(), bytes.size());
        if (got <= 0) {
            return got < 0 ? -1 : count;
        }
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            Entry entry{};
            std::memcpy(&entry, bytes.data() + at, sizeof entry);
            const char* name = bytes.data() + at + kEntryNameAt;
            at += entry.length;
            if (entry.type != DT_DIR || name[0] == '.') {
                continue;
            }
            const UniqueFd below{openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
            const int there = below.is_open() ? signal_tree(below.get(), signal, depth + 1) : 0;
            if (there < 0) {
                return -1;
            }
            count += there;
        }
    }
}

}  // namespace

void freeze_cgroup(int directory, CgroupVersion version) {
    switch (version) {
        case CgroupVersion::kV2: write_to(directory, "cgroup.freeze", "1"); break;
        case CgroupVersion::kV1Freezer: write_to(directory, "freezer.state", "FROZEN"); break;
    }
}

void kill_cgroup(int directory, CgroupVersion version) {
    switch (version) {
        case CgroupVersion::kV2:
            if (write_to(directory, "cgroup.kill", "1")) {
                break;  // Frozen ones die, too, and none that is being forked is missed.
            }
            freeze_cgroup(directory, version);
            signal_tree(directory, SIGKILL, 0);
            write_to(directory, "cgroup.freeze", "0");
            break;
        case CgroupVersion::kV1Freezer:
            // Frozen, so that none can fork away from the signal; it takes effect at the thaw.
            freeze_cgroup(directory, version);
            signal_tree(directory, SIGKILL, 0);
            write_to(directory, "freezer.state", "THAWED");
            break;
    }
}

bool is_cgroup_populated(int directory, CgroupVersion version) {
    switch (version) {
        case CgroupVersion::kV2: {
            const UniqueFd fd{openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC)};
            if (!fd.is_open()) {
                return errno != ENOENT && errno != ENODEV;
            }
            std::array<char, 256> bytes{};
            const ssize_t got = read(fd.get(), bytes.data(), bytes.size());
            if (got < 0) {
                return errno != ENODEV;
            }
            const std::string_view text{bytes.data(), static_cast<std::size_t>(got)};
            return text.find("populated 0") == std::string_view::npos;
        }
        case CgroupVersion::kV1Freezer: return signal_tree(directory, 0, 0) != 0;
    }
    return true;
}

}  // namespace css::guardian
