#include "kill_block/link/spawn.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/process.h"

namespace css::guardian {
namespace {

constexpr int kExitServed = 3;  // As in guardian/main.cc.

bool has_guardians(const std::string& directory) {
    return access((directory + "/cssdagent").c_str(), X_OK) == 0 &&
           access((directory + "/cssdmonitor").c_str(), X_OK) == 0;
}

/// No open file, signal mask or environment of the daemon goes on into the guardian.
int spawn(pid_t& pid, const std::string& program, std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    std::array<char*, 1> environment{nullptr};
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int failure = posix_spawn(
        &pid, program.c_str(), nullptr, &attributes, arguments.data(), environment.data());
    posix_spawnattr_destroy(&attributes);
    return failure;
}

}  // namespace

Result<std::string> find_guardian_dir(const std::string& given) {
    std::array<char, 4096> self{};
    const ssize_t length = readlink("/proc/self/exe", self.data(), self.size() - 1);
    std::string own{self.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
    own.resize(own.find_last_of('/') == std::string::npos ? 0 : own.find_last_of('/'));
    const std::vector<std::string> places = given.empty()
                                                ? std::vector<std::string>{own, own + "/../sbin"}
                                                : std::vector<std::string>{given};
    for (const std::string& place : places) {
        if (has_guardians(place)) {
            return place;
        }
    }
    return Error{ErrorCode::kInvalid,
                 0,
                 "no guardian programs: cssdagent and cssdmonitor must be in " +
                     (given.empty() ? own + " or its ../sbin" : given)};
}

Status spawn_guardian(const std::string& directory,
                      Which which,
                      const GuardianLinkOptions& options,
                      Duration patience) {
    const std::string name = name_of(which);
    const std::string& state = options.state_dir.empty() ? options.run_dir : options.state_dir;
    std::vector<std::string> words{name,
                                   "--run-dir",
                                   options.run_dir,
                                   "--state-dir",
                                   state,
                                   "--priority",
                                   std::to_string(options.realtime_priority)};
    pid_t pid = -1;
    if (const int failure = spawn(pid, directory + "/" + name, words); failure != 0) {
        return Error{ErrorCode::kSystem, failure, "cannot run " + name};
    }
    const UniqueFd pidfd{open_pidfd(pid)};
    pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    const auto limit = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    if (poll(&ended, 1, static_cast<int>(limit)) != 1) {
        static_cast<void>(send_signal(pidfd.get(), SIGKILL));  // Ours, and not yet detached.
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kExitServed)) {
        return Done{};
    }
    return Error{ErrorCode::kSystem,
                 0,
                 name + " did not start (wait status " + std::to_string(status) + ")"};
}

}  // namespace css::guardian
