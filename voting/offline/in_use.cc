#include "voting/offline/in_use.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include <fcntl.h>

#include "voting/format/layout.h"

namespace css::voting {
namespace {

namespace fs = std::filesystem;

/// Whether the open file that `fdinfo` describes holds a lock.
bool holds_lock(const fs::path& fdinfo) {
    std::ifstream file{fdinfo};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("lock:")) {
            return true;
        }
    }
    return false;
}

bool process_holds(const fs::path& process, const VotingDevice& device) {
    std::error_code ignored;
    for (const auto& fd : fs::directory_iterator{process / "fd", ignored}) {
        if (device.is(fd.path()) && holds_lock(process / "fdinfo" / fd.path().filename())) {
            return true;
        }
    }
    return false;
}

/// ' by process 4711 (cssd)', or nothing when it cannot be told. F_OFD_GETLK tells no process for
/// a lock of this kind, so /proc has to be searched.
std::string holder_of(const VotingDevice& device) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
        const std::string name = entry.path().filename();
        const bool is_process =
            std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (is_process && process_holds(entry.path(), device)) {
            std::string command;
            std::getline(std::ifstream{entry.path() / "comm"} >> std::ws, command);
            return " by process " + name + " (" + command + ")";
        }
    }
    return "";
}

/// Two intervals of the slowest heartbeat that a daemon may have: none is above a second.
constexpr std::chrono::milliseconds kWatch{2200};
static_assert(kWatch > 2 * interval(Parameters{}));

std::string who_moved(const Inspected& before, const std::vector<std::byte>& now) {
    const auto differ =
        std::mismatch(before.bytes.begin(), before.bytes.end(), now.begin(), now.end());
    const auto at = static_cast<std::size_t>(differ.first - before.bytes.begin());
    if (before.header_verdict != SectorVerdict::kValid || at < kHeaderSize) {
        return "its contents change";
    }
    const Layout layout{before.header.sector_size};
    return "the heartbeats of node " + std::to_string((at - kHeaderSize) / layout.slot_size() + 1) +
           " move";
}

}  // namespace

Status lock_whole(const VotingDevice& device, const std::string& advice) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(device.fd(), F_OFD_SETLK, &lock) == 0) {
        return Done{};
    }
    if (errno == EAGAIN || errno == EACCES) {
        return Error{ErrorCode::kConflict,
                     0,
                     device.path() + " is in use" + holder_of(device) + ": " + advice};
    }
    return Error{ErrorCode::kSystem,
                 errno,
                 device.path() + ": cannot be locked: " + std::generic_category().message(errno)};
}

Status check_still(std::span<const VotingDevice> devices, std::span<const Inspected> found) {
    std::this_thread::sleep_for(kWatch);
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const Result<std::vector<std::byte>> now = devices[i].read();
        if (!now) {
            return now.error();
        }
        if (*now != found[i].bytes) {
            return Error{ErrorCode::kConflict,
                         0,
                         devices[i].path() +
                             " is in use by another host: " + who_moved(found[i], *now) +
                             "; stop the cluster first; --force does not help"};
        }
    }
    return Done{};
}

}  // namespace css::voting
