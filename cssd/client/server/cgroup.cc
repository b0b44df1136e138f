#include "cssd/client/server/cgroup.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"

namespace css::client {
namespace {

/// Cgroups nest; a deeper tree than this counts as populated.
constexpr int kDepthMax = 32;

/// The number of the mount that a descriptor lies on; empty: unknown.
std::string mount_of(int descriptor) {
    std::ifstream info{"/proc/self/fdinfo/" + std::to_string(descriptor)};
    for (std::string line; std::getline(info, line);) {
        std::istringstream words{line};
        std::string name;
        std::string value;
        if (words >> name >> value && name == "mnt_id:") {
            return value;
        }
    }
    return {};
}

/// The type of the file system of a mount, as this process sees it, else as `pid` does.
std::string type_of_mount(const std::string& mount, pid_t pid) {
    for (const std::string& who : {std::string{"self"}, std::to_string(pid)}) {
        std::ifstream mounts{"/proc/" + who + "/mountinfo"};
        for (std::string line; std::getline(mounts, line);) {
            const auto dash = line.find(" - ");
            if (dash != std::string::npos && line.compare(0, line.find(' '), mount) == 0) {
                return line.substr(dash + 3, line.find(' ', dash + 3) - dash - 3);
            }
        }
    }
    return {};
}

bool has(int directory, const char* file) {
    return ::faccessat(directory, file, F_OK, 0) == 0;
}

/// The whole of a small file; nothing when it cannot be read.
Result<std::string> read_file(int directory, const char* name) {
    const UniqueFd file{::openat(directory, name, O_RDONLY | O_CLOEXEC)};
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const ssize_t got = file.is_open() ? ::read(file.get(), part.data(), part.size()) : -1;
        if (got < 0) {
            return Error{ErrorCode::kSystem, errno, name};
        }
        if (got == 0) {
            return text;
        }
        text.append(part.data(), static_cast<std::size_t>(got));
    }
}

/// Calls `visit` with the text of every cgroup.procs from here on down; stops at its first false.
/// False: stopped, or something could not be read.
bool visit_processes(int directory,
                     int depth,
                     const std::function<bool(const std::string&)>& visit) {
    const auto processes = read_file(directory, "cgroup.procs");
    if (!processes) {
        return processes.error().system_errno == ENODEV;  // Removed meanwhile.
    }
    if (depth > kDepthMax || !visit(*processes)) {
        return false;
    }
    const int again = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{again < 0 ? nullptr : ::fdopendir(again),
                                                      &::closedir};
    if (entries == nullptr) {
        return false;
    }
    while (const dirent* entry = ::readdir(entries.get())) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') {
            continue;
        }
        const UniqueFd below{
            ::openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (below.is_open() && !visit_processes(below.get(), depth + 1, visit)) {
            return false;
        }
    }
    return true;
}

bool holds_this_process(int directory) {
    const std::string self = std::to_string(::getpid());
    return !visit_processes(directory, 0, [&self](const std::string& processes) {
        std::istringstream lines{processes};
        for (std::string pid; lines >> pid;) {
            if (pid == self) {
                return false;
            }
        }
        return true;
    });
}

Error refuse(ErrorCode code, const char* why) {
    return Error{code, 0, std::string{"the cgroup cannot be a client: "} + why};
}

}  // namespace

Result<CgroupKind> inspect_cgroup(int directory, const CgroupOwner& sender) {
    const std::string type = type_of_mount(mount_of(directory), sender.pid);
    if (type != "cgroup" && type != "cgroup2") {
        return refuse(ErrorCode::kInvalid, "this is not the directory of a cgroup");
    }
    struct stat status {};
    if (::fstatat(directory, "cgroup.procs", &status, 0) != 0) {
        return refuse(ErrorCode::kInvalid, "it has been removed, or is no directory");
    }
    if (sender.uid != 0 && sender.uid != status.st_uid) {
        return refuse(ErrorCode::kNotPermitted, "another user owns it");
    }
    // The root of a hierarchy has neither file.
    const CgroupKind kind = type == "cgroup2" ? CgroupKind::kV2 : CgroupKind::kV1Freezer;
    if (!has(directory, kind == CgroupKind::kV2 ? "cgroup.events" : "freezer.state")) {
        return refuse(ErrorCode::kInvalid,
                      "give one of version 2, or of version 1 with the freezer, and not the root");
    }
    if (holds_this_process(directory)) {
        return refuse(ErrorCode::kInvalid,
                      "the daemon itself is in it, or its processes cannot be read");
    }
    return kind;
}

bool is_populated(int directory, CgroupKind kind) {
    switch (kind) {
        case CgroupKind::kV2: {
            const auto events = read_file(directory, "cgroup.events");
            return events ? events->find("populated 0") == std::string::npos
                          : events.error().system_errno != ENODEV &&
                                events.error().system_errno != ENOENT;
        }
        case CgroupKind::kV1Freezer: {
            if (!has(directory, "cgroup.procs")) {
                return errno != ENOENT;
            }
            return !visit_processes(
                directory, 0, [](const std::string& processes) { return processes.empty(); });
        }
    }
    return true;
}

namespace {

bool write_file(int directory, const char* name, std::string_view text) {
    const UniqueFd file{::openat(directory, name, O_WRONLY | O_CLOEXEC)};
    return file.is_open() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

/// Frozen, they fork nothing that the signal does not reach. Version 2 kills frozen processes;
/// version 1 when they are thawed.
void kill_cgroup(int directory, CgroupKind kind) {
    switch (kind) {
        case CgroupKind::kV2:
            if (!write_file(directory, "cgroup.kill", "1")) {
                static_cast<void>(write_file(directory, "cgroup.freeze", "1"));
                signal_processes(directory, SIGKILL);
                static_cast<void>(write_file(directory, "cgroup.freeze", "0"));
            }
            return;
        case CgroupKind::kV1Freezer:
            static_cast<void>(write_file(directory, "freezer.state", "FROZEN"));
            signal_processes(directory, SIGKILL);
            static_cast<void>(write_file(directory, "freezer.state", "THAWED"));
            return;
    }
}

void signal_processes(int directory, int signal) {
    static_cast<void>(visit_processes(directory, 0, [signal](const std::string& processes) {
        std::istringstream lines{processes};
        for (pid_t pid = 0; lines >> pid;) {
            if (pid > 1) {  // 0: of another namespace.
                ::kill(pid, signal);
            }
        }
        return true;
    }));
}

}  // namespace css::client
