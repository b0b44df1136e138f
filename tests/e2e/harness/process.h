#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cssd/base/unique_fd.h"

/// Programs of the tests: started, watched and ended here, each by its own pid.
namespace css::e2e {

using std::chrono::milliseconds;

/// CLOCK_BOOTTIME in nanoseconds: the clock of the daemons' events and of the clients' lines.
using Nanos = std::int64_t;
Nanos boottime_now();
constexpr Nanos nanos(milliseconds time) {
    return std::chrono::nanoseconds{time}.count();
}
constexpr double as_millis(Nanos time) {
    return static_cast<double>(time) / 1e6;
}

/// The program, then its arguments.
using Words = std::vector<std::string>;

/// Where a program runs and where its output goes.
struct Place {
    int network_namespace = -1;  ///< Of the caller's when negative.
    std::string output{};  ///< File to which stdout and stderr are appended; empty: /dev/null.
    int stdout_fd = -1;    ///< Takes stdout instead.
    int stderr_fd = -1;    ///< Takes stderr instead.
};

/// A child process. The kernel kills it when the test's process dies; so does the destructor.
class Child {
public:
    Child() = default;
    /// Main thread only. The program is looked up in PATH; it ends with 127 when it is not found.
    Child(const Words& words, const Place& place);
    ~Child();
    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// False once it has ended; then status() tells how.
    [[nodiscard]] bool running();
    void signal(int number) const;
    /// True when it ended in time.
    bool wait(milliseconds patience);
    /// SIGKILL, and the end is awaited.
    void kill();
    /// Exit code, or 128 + signal; nothing while it runs.
    [[nodiscard]] std::optional<int> status() const { return status_; }

private:
    pid_t pid_ = -1;
    std::optional<int> status_;
};

/// What a program that ran to its end said.
struct Finished {
    int status = -1;  ///< Exit code, 128 + signal, or -1: it had to be killed, time was up.
    std::string out;
    std::string err;
    [[nodiscard]] bool ok() const { return status == 0; }
};
Finished run(const Words& words,
             int network_namespace = -1,
             milliseconds patience = std::chrono::seconds{60},
             const std::string& input = "");

/// The same for what cannot fail unless the machine is not fit for tests: then it says why, and
/// aborts.
void must_run(const Words& words, int network_namespace = -1, const std::string& input = "");

/// Processes whose network namespace is the one behind the descriptor.
std::vector<pid_t> processes_in(int network_namespace);
/// Folders in /proc of all threads that the process has now; none when it is gone.
std::vector<std::filesystem::path> threads_of(pid_t pid);
/// A line of its /proc/PID/status, as in `VmRSS`; 0 when it is gone.
std::size_t kibibytes_of(pid_t pid, const std::string& name);
/// The name that the kernel shows for it (`cssd`, `cssdagent`); empty when it is gone.
std::string program_of(pid_t pid);

}  // namespace css::e2e
