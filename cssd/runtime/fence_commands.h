#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cssd/base/shell_thread.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/base/unique_fd.h"
#include "cssd/runtime/log.h"

namespace css::runtime {

/// E4 (PROTOCOL 7.6): runs `fence_command off NODE_NAME NODE_NUMBER` for a remote node, the unique
/// of the instance in the environment as CSS_UNIQUE. Exit code 0 is the confirmation, and nothing
/// else is; what it prints goes to the trace.
///
/// The thread "fencecmd", never real-time, waits for commands; they are started by posix_spawn. No
/// thread of heartbeats waits for any of it.
class FenceCommands {
public:
    struct Options {
        std::string command;
        Duration patience = std::chrono::seconds{60};  ///< Then it is killed: not confirmed.
        unsigned tries = 3;
        Duration pause = std::chrono::seconds{5};  ///< Before the next try.
    };
    struct Calls {
        std::function<std::string(NodeNumber)> name_of;
        /// Asked before every try: not yet confirmed otherwise, and no later instance known, whom
        /// the command would hit.
        std::function<bool(Instance)> is_pending;
        std::function<void(Instance)> confirmed;
    };
    FenceCommands(Options options, Calls calls, Log& log);
    ~FenceCommands();  ///< Kills what still runs.
    FenceCommands(const FenceCommands&) = delete;
    FenceCommands& operator=(const FenceCommands&) = delete;
    FenceCommands(FenceCommands&&) = delete;
    FenceCommands& operator=(FenceCommands&&) = delete;

    [[nodiscard]] Status start();
    /// Any thread; never waits. Without a command: nothing.
    void fence(Instance victim);

private:
    /// A victim on its way: a try under way, or the next one to come.
    struct Job {
        Instance victim;
        unsigned tried = 0;
        pid_t pid = 0;    ///< 0: none runs.
        UniqueFd ended;   ///< Its pidfd.
        UniqueFd output;  ///< Read end.
        std::string line;
        Instant until;  ///< To be killed then, or, if none runs, to be tried then.
    };

    void run();
    void take_new(std::vector<Job>& jobs);
    void begin(Job& job);
    bool spawn(Job& job, int output);
    void read_output(Job& job);
    /// False: nothing is left to do for it.
    bool look(Job& job, Instant now);
    bool finish(Job& job, const std::string& how, bool done);
    void say(const Job& job, const std::string& text) const;
    void kill(const Job& job);
    void reap_killed();

    const Options options_;
    const Calls calls_;
    Log& log_;
    UniqueFd bell_;
    std::mutex mutex_;
    std::vector<Instance> asked_;
    bool stopping_ = false;
    std::vector<pid_t> killed_;  ///< Not yet reaped: one in the kernel's hands dies late.
    ShellThread thread_;
};

}  // namespace css::runtime
