#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cssd/base/time.h"
#include "cssd/base/unique_fd.h"

namespace css::testing {

using std::chrono::milliseconds;

/// Generous: a machine at a tenth of the speed must pass, and only failures wait for it.
inline constexpr Duration kPatience = std::chrono::seconds{20};

/// A child of the test, killed when the test or this object ends.
class Process {
public:
    /// Sleeps until it is killed.
    static Process sleeper();
    static Process run(const std::vector<std::string>& words);
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool is_alive() const { return !ended_within(Duration{0}); }
    [[nodiscard]] bool ended_within(Duration patience) const;
    /// When its end was seen; kForever when it was not within the patience.
    [[nodiscard]] Instant end_time(Duration patience = kPatience) const;
    void signal(int number) const;
    /// Its wait status, after its end.
    int wait();

protected:
    explicit Process(pid_t pid);

private:
    pid_t pid_;
    UniqueFd pidfd_;
};

/// A fake daemon under remote control.
class Daemon : public Process {
public:
    void tell(const std::string& line) const;
    /// The next line that begins with `prefix`, skipping others; "" when none came in time.
    std::string hear(const std::string& prefix, Duration patience = kPatience);
    /// True: no such line comes within `time`.
    bool stays_silent(const std::string& prefix, Duration time);

    /// Tells a lease; does not wait. Flags as in fake_daemon.cc.
    void lease(std::uint64_t serial, Instant end, const std::string& flags) const;
    /// Tells it and waits until it is acknowledged by both. False: it was not.
    bool hold(std::uint64_t serial, Instant end, const std::string& flags);
    bool enlist(std::uint64_t client, pid_t pid);

private:
    friend class RunDir;
    Daemon(Process&& process, UniqueFd input, UniqueFd output);
    std::optional<std::string> next_line(Instant limit);
    UniqueFd input_;
    UniqueFd output_;
    std::string buffer_;
};

struct DaemonOptions {
    milliseconds ack_bound{15'000};
    milliseconds last_words{50};
    std::vector<std::string> more{};  ///< Orders for the guardians, `key=value`: fake_daemon.cc.
};

/// A run directory with the guardians in it. A janitor process ends the guardians and removes the
/// directory when this object or the test process ends, however it ends.
class RunDir {
public:
    RunDir();
    ~RunDir();
    RunDir(const RunDir&) = delete;
    RunDir& operator=(const RunDir&) = delete;
    RunDir(RunDir&&) = delete;
    RunDir& operator=(RunDir&&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// Starts a fake daemon; waits until its link is open.
    [[nodiscard]] Daemon start(const DaemonOptions& options = {}) const;
    /// 0: none serves.
    [[nodiscard]] pid_t guardian(const std::string& name) const;
    [[nodiscard]] std::string last_gasp(const std::string& name) const;
    /// The whole of a file in it; empty when there is none. `reset` holds a `b` for each reset.
    [[nodiscard]] std::string file(const std::string& name) const;
    /// Waits until that file holds `text`.
    [[nodiscard]] bool shows(const std::string& name,
                             const std::string& text,
                             Duration patience = kPatience) const;
    /// Waits until the last-gasp file of that guardian holds `text`.
    [[nodiscard]] bool gasps(const std::string& name, const std::string& text) const;

private:
    std::string path_;
    UniqueFd lifeline_;
    pid_t janitor_ = -1;
};

Instant now();
bool wait_for_pid_to_end(pid_t pid, Duration patience = kPatience);
std::int64_t ns(Instant at);

}  // namespace css::testing
