#include "kill_block/guardian/program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill_block/guardian/notebook.h"

namespace css::guardian {
namespace {

/// Everything here runs in the child, which may wait, for as long as the guardian lets it live.
struct Run {
    const char* guardian;
    const char* name;  ///< As in the configuration.
    const char* command;
    const FixedOrders& orders;
    Instance instance;
    bool off;  ///< The first argument is `off`.
};

using Mark = std::array<char, 128>;

/// Which run this is, for the other guardian.
Mark mark_of(const Run& run) {
    Mark mark{};
    static_cast<void>(std::snprintf(mark.data(),
                                    mark.size(),
                                    "%s %u %u done\n",
                                    run.name,
                                    run.instance.node.value(),
                                    run.instance.unique.value()));
    return mark;
}

/// Held by this process until it ends. -1: no such file; then nobody is waited for.
int lock_of(const Run& run) {
    std::array<char, kOrdersPathMax + 64> path{};
    static_cast<void>(
        std::snprintf(path.data(), path.size(), "%s/%s.lock", run.orders.run_dir.data(), run.name));
    const int fd = open(path.data(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
        }
    }
    return fd;
}

bool was_done(const Run& run, int lock) {
    Mark held{};
    const Mark mine = mark_of(run);
    return lock >= 0 && run.instance.node.is_some() &&
           pread(lock, held.data(), held.size() - 1, 0) > 0 &&
           std::strcmp(held.data(), mine.data()) == 0;
}

void note_done(const Run& run, int lock) {
    const Mark mark = mark_of(run);
    if (lock >= 0 && ftruncate(lock, 0) == 0) {
        static_cast<void>(!pwrite(lock, mark.data(), std::strlen(mark.data()), 0));
    }
}

[[noreturn]] void execute(const Run& run, int output) {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    std::array<char, kCommandMax + 8> script{};
    std::array<char, 16> number{};
    std::array<char, 32> unique{};
    static_cast<void>(std::snprintf(script.data(), script.size(), "%s \"$@\"", run.command));
    static_cast<void>(std::snprintf(number.data(), number.size(), "%u", run.orders.node));
    static_cast<void>(
        std::snprintf(unique.data(), unique.size(), "CSS_UNIQUE=%u", run.instance.unique.value()));
    const char* environment[] = {
        // NOLINT(modernize-avoid-c-arrays): what execle wants.
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        unique.data(),
        nullptr};
    const char* words[] = {"sh",  // NOLINT(modernize-avoid-c-arrays)
                           "-c",
                           script.data(),
                           "sh",
                           run.off ? "off" : run.orders.node_name.data(),
                           run.off ? run.orders.node_name.data() : number.data(),
                           run.off ? number.data() : nullptr,
                           nullptr};
    execve("/bin/sh", const_cast<char**>(words), const_cast<char**>(environment));
    _exit(127);
}

void put_line(const Run& run, const char* line) {
    std::array<char, 1024> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), "LHB %s: %s", run.name, line));
    Notebook::append_trace(run.orders, run.guardian, text.data());
}

/// Copies the output to the trace until the program has ended; a child that it leaves behind may
/// keep the pipe open, so its own end counts. Returns the wait status.
int follow(const Run& run, pid_t program, int output) {
    std::array<char, 512> line{};
    std::size_t length = 0;
    int status = 0;
    bool ended = false;
    bool open = true;
    while (open && !ended) {
        pollfd readable{.fd = output, .events = POLLIN, .revents = 0};
        constexpr int kLookMillis = 10;
        const bool some = poll(&readable, 1, kLookMillis) == 1;
        ended = !some && waitpid(program, &status, WNOHANG) == program;
        char c = 0;
        while (some && open) {
            const ssize_t got = read(output, &c, 1);
            if (got < 0) {
                break;  // No more now.
            }
            open = got > 0;
            if (c == '\n' || !open || length == line.size() - 1) {
                line[length] = '\0';
                if (length > 0) {
                    put_line(run, line.data());
                }
                length = 0;
            }
            if (open && c != '\n') {
                line[length++] = c;
            }
        }
    }
    while (!ended && waitpid(program, &status, 0) != program && errno == EINTR) {
    }
    return status;
}

[[noreturn]] void carry_through(const Run& run) {
    setpgid(0, 0);                              // The guardian kills the group.
    static_cast<void>(close_range(3, ~0U, 0));  // Its sockets and locks end with itself.
    for (int signal = 1; signal < NSIG; ++signal) {
        std::signal(signal, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int lock = lock_of(run);
    if (was_done(run, lock)) {
        put_line(run, "the other guardian's run has succeeded");
        _exit(0);
    }
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        _exit(126);
    }
    const pid_t program = fork();
    if (program == 0) {
        execute(run, ends[1]);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const int status = program < 0 ? 1 : follow(run, program, ends[0]);
    std::array<char, 64> text{};
    const bool exited = WIFEXITED(status);
    static_cast<void>(std::snprintf(text.data(),
                                    text.size(),
                                    exited ? "ended with exit code %d" : "ended by signal %d",
                                    exited ? WEXITSTATUS(status) : WTERMSIG(status)));
    put_line(run, text.data());
    const bool done = exited && WEXITSTATUS(status) == 0;
    if (done) {
        note_done(run, lock);
    }
    _exit(done ? 0 : 1);
}

}  // namespace

void Program::run(const char* guardian, const FixedOrders& orders, Instance instance) {
    if (state_ != Errand::kIdle) {
        return;
    }
    child_ = fork();
    if (child_ == 0) {
        const bool off = what_ == What::kCommand;
        carry_through(
            Run{.guardian = guardian,
                .name = off ? "fence_command" : "drain_command",
                .command = off ? orders.fence_command.data() : orders.drain_command.data(),
                .orders = orders,
                .instance = instance,
                .off = off});
    }
    state_ = child_ > 0 ? Errand::kRunning : Errand::kFailed;
}

void Program::note_ended(pid_t child, int status) {
    if (state_ == Errand::kRunning && child == child_) {
        state_ = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Errand::kDone : Errand::kFailed;
        child_ = 0;
    }
}

void Program::forget() {
    if (state_ == Errand::kRunning && child_ > 0) {
        kill(-child_, SIGKILL);
        kill(child_, SIGKILL);  // It may not have made its group yet.
    }
    child_ = 0;
    state_ = Errand::kIdle;
}

}  // namespace css::guardian
