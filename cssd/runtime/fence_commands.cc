#include "cssd/runtime/fence_commands.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/runtime/clock.h"
#include "kill_block/guardian/process.h"

namespace css::runtime {
namespace {

/// Attributes of a program that has nothing of the daemon's: signals as new, a group to be killed.
class Attributes {
public:
    Attributes() {
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        ::posix_spawnattr_init(&attributes_);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        ::posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    Attributes(Attributes&&) = delete;
    Attributes& operator=(Attributes&&) = delete;
    [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

private:
    posix_spawnattr_t attributes_{};
};

/// Its input is empty, its output a pipe.
class Files {
public:
    explicit Files(int output) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    }
    ~Files() { ::posix_spawn_file_actions_destroy(&actions_); }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    Files(Files&&) = delete;
    Files& operator=(Files&&) = delete;
    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
    posix_spawn_file_actions_t actions_{};
};

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

int millis_until(Instant at, Instant now) {
    constexpr Duration kLongest = std::chrono::seconds{10};
    const Duration rest = std::clamp(at - now, Duration{}, kLongest);
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(rest).count());
}

}  // namespace

FenceCommands::FenceCommands(Options options, Calls calls, Log& log)
    : options_(std::move(options)),
      calls_(std::move(calls)),
      log_(log),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

FenceCommands::~FenceCommands() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    static_cast<void>(::eventfd_write(bell_.get(), 1));
    thread_.join();
}

Status FenceCommands::start() {
    CSS_CHECK(bell_.is_open());
    return options_.command.empty() ? Status{Done{}} : thread_.start("fencecmd", [this] { run(); });
}

void FenceCommands::fence(Instance victim) {
    if (options_.command.empty()) {
        return;
    }
    {
        const std::lock_guard lock{mutex_};
        asked_.push_back(victim);
    }
    static_cast<void>(::eventfd_write(bell_.get(), 1));
}

void FenceCommands::run() {
    std::vector<Job> jobs;
    for (;;) {
        std::vector<pollfd> fds{pollfd{bell_.get(), POLLIN, 0}};
        constexpr Duration kReapAgain = std::chrono::milliseconds{100};
        Instant next = killed_.empty() ? kForever : boot_now() + kReapAgain;
        for (const Job& job : jobs) {
            next = std::min(next, job.until);
            if (job.pid != 0) {
                fds.push_back(pollfd{job.ended.get(), POLLIN, 0});
                fds.push_back(pollfd{job.output.get(), POLLIN, 0});
            }
        }
        static_cast<void>(::poll(fds.data(), fds.size(), millis_until(next, boot_now())));
        eventfd_t count = 0;
        static_cast<void>(::eventfd_read(bell_.get(), &count));
        take_new(jobs);
        reap_killed();
        {
            const std::lock_guard lock{mutex_};
            if (stopping_) {
                std::ranges::for_each(jobs, [this](const Job& job) { kill(job); });
                return;
            }
        }
        std::erase_if(jobs, [this](Job& job) { return !look(job, boot_now()); });
    }
}

void FenceCommands::take_new(std::vector<Job>& jobs) {
    std::vector<Instance> asked;
    {
        const std::lock_guard lock{mutex_};
        asked.swap(asked_);
    }
    for (const Instance victim : asked) {
        jobs.emplace_back().victim = victim;
        jobs.back().until = kNever;
    }
}

void FenceCommands::begin(Job& job) {
    std::array<int, 2> ends{-1, -1};
    ++job.tried;
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return;
    }
    job.output.reset(ends[0]);
    const UniqueFd write_end{ends[1]};
    ::fcntl(write_end.get(), F_SETFL, 0);  // The program's own end waits as usual.
    if (spawn(job, write_end.get())) {
        job.ended.reset(guardian::open_pidfd(job.pid));
        job.until = boot_now() + options_.patience;
    }
}

bool FenceCommands::spawn(Job& job, int output) {
    const Attributes attributes;
    const Files files{output};
    std::vector<std::string> words{"sh",
                                   "-c",
                                   options_.command + " \"$@\"",
                                   "sh",
                                   "off",
                                   calls_.name_of(job.victim.node),
                                   std::to_string(job.victim.node.value())};
    std::vector<std::string> environment{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CSS_UNIQUE=" + std::to_string(job.victim.unique.value())};
    const int failure = ::posix_spawn(&job.pid,
                                      "/bin/sh",
                                      files.get(),
                                      attributes.get(),
                                      pointers_to(words).data(),
                                      pointers_to(environment).data());
    if (failure != 0) {
        job.pid = 0;
        say(job, std::string{"cannot be started: "} + std::strerror(failure));
        return false;
    }
    say(job, "off " + words[5] + " " + words[6] + ": try " + std::to_string(job.tried));
    return true;
}

void FenceCommands::read_output(Job& job) {
    std::array<char, 1024> bytes{};
    for (;;) {
        const ssize_t got = ::read(job.output.get(), bytes.data(), bytes.size());
        if (got <= 0) {
            return;
        }
        for (const char c : std::string_view{bytes.data(), static_cast<std::size_t>(got)}) {
            constexpr std::size_t kLineMax = 500;
            if (c == '\n' || job.line.size() == kLineMax) {
                say(job, std::exchange(job.line, {}));
            }
            if (c != '\n') {
                job.line += c;
            }
        }
    }
}

bool FenceCommands::look(Job& job, Instant now) {
    if (job.pid == 0) {
        if (now < job.until) {
            return true;
        }
        if (!calls_.is_pending(job.victim)) {
            return false;
        }
        begin(job);
        return job.pid != 0 || finish(job, "did not start", false);
    }
    read_output(job);
    int status = 0;
    if (::waitpid(job.pid, &status, WNOHANG) == job.pid) {
        read_output(job);
        if (!job.line.empty()) {
            say(job, std::exchange(job.line, {}));
        }
        const bool exited = WIFEXITED(status);
        return finish(job,
                      exited ? "ended with exit code " + std::to_string(WEXITSTATUS(status))
                             : "ended by signal " + std::to_string(WTERMSIG(status)),
                      exited && WEXITSTATUS(status) == 0);
    }
    if (now >= job.until) {
        kill(job);
        return finish(job, "did not end in time and was killed", false);
    }
    return true;
}

bool FenceCommands::finish(Job& job, const std::string& how, bool done) {
    job.pid = 0;
    job.ended.reset();
    job.output.reset();
    say(job, how);
    if (done) {
        calls_.confirmed(job.victim);
        return false;
    }
    const std::string whom = calls_.name_of(job.victim.node);
    const bool again = job.tried < options_.tries;
    log_.alert("CRS-1657: Warning: fence_command off " + whom + " " +
               std::to_string(job.victim.node.value()) + " " + how +
               "; it does not confirm that the node is off" + (again ? ", it is tried again" : "") +
               "; its output is in " + log_.trace_file());
    job.until = boot_now() + options_.pause;
    return again;
}

void FenceCommands::kill(const Job& job) {
    if (job.pid != 0) {
        ::kill(-job.pid, SIGKILL);
        killed_.push_back(job.pid);
    }
}

void FenceCommands::reap_killed() {
    std::erase_if(killed_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

void FenceCommands::say(const Job& job, const std::string& text) const {
    log_.trace(config::LogLevel::kWarning,
               "clssnmFenceCommand",
               "RCFG fence_command for node " + calls_.name_of(job.victim.node) + ": " + text);
}

}  // namespace css::runtime
