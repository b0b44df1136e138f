#include "tests/guardian/harness.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "kill_block/guardian/process.h"

namespace css::testing {
namespace {

int to_milliseconds(Duration d) {
    return static_cast<int>(std::chrono::ceil<milliseconds>(std::max(d, Duration{0})).count());
}

pid_t pid_in(const std::string& path) {
    pid_t pid = 0;
    std::ifstream{path} >> pid;
    return pid;
}

/// Only what calls nothing that another thread's lock could hold: the test may have threads.
void janitor(int lifeline, const std::string& path) {
    char byte = 0;
    while (read(lifeline, &byte, 1) > 0) {
    }
    for (const char* name : {"cssdagent", "cssdmonitor"}) {
        if (const pid_t pid = pid_in(path + "/" + name + ".pid"); pid > 1) {
            kill(pid, SIGKILL);
            wait_for_pid_to_end(pid);
        }
    }
    // One that was started last may not have written its file yet.
    constexpr const char* kRest = R"sh(pkill -KILL -f -- "--run-dir $0( |\$)"; rm -rf "$0")sh";
    execl("/bin/sh", "sh", "-c", kRest, path.c_str(), nullptr);
    _exit(1);
}

}  // namespace

Instant now() {
    return guardian::boottime();
}
std::int64_t ns(Instant at) {
    return at.time_since_epoch().count();
}

bool wait_for_pid_to_end(pid_t pid, Duration patience) {
    const UniqueFd pidfd{guardian::open_pidfd(pid)};
    pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    return !pidfd.is_open() || poll(&ended, 1, to_milliseconds(patience)) == 1;
}

Process::Process(pid_t pid) : pid_(pid), pidfd_(guardian::open_pidfd(pid)) {
    CSS_CHECK(pidfd_.is_open());
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

Process::~Process() {
    if (pid_ > 0) {
        signal(SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
}

Process Process::sleeper() {
    return run({"/bin/sleep", "1000"});
}

Process Process::run(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    return Process{pid};
}

bool Process::ended_within(Duration patience) const {
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    return poll(&ended, 1, to_milliseconds(patience)) == 1;
}

Instant Process::end_time(Duration patience) const {
    return ended_within(patience) ? now() : kForever;
}

void Process::signal(int number) const {
    static_cast<void>(guardian::send_signal(pidfd_.get(), number));
}

int Process::wait() {
    int status = -1;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
}

Daemon::Daemon(Process&& process, UniqueFd input, UniqueFd output)
    : Process(std::move(process)), input_(std::move(input)), output_(std::move(output)) {}

void Daemon::tell(const std::string& line) const {
    const std::string whole = line + "\n";
    CSS_CHECK(write(input_.get(), whole.data(), whole.size()) ==
              static_cast<ssize_t>(whole.size()));
}

std::optional<std::string> Daemon::next_line(Instant limit) {
    for (;;) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        pollfd readable{.fd = output_.get(), .events = POLLIN, .revents = 0};
        std::array<char, 4096> bytes{};
        if (poll(&readable, 1, to_milliseconds(limit - now())) != 1) {
            return std::nullopt;
        }
        const ssize_t got = read(output_.get(), bytes.data(), bytes.size());
        if (got <= 0) {
            return std::nullopt;
        }
        buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    }
}

std::string Daemon::hear(const std::string& prefix, Duration patience) {
    const Instant limit = now() + patience;
    while (const auto line = next_line(limit)) {
        if (line->rfind(prefix, 0) == 0) {
            return *line;
        }
    }
    return "";
}

bool Daemon::stays_silent(const std::string& prefix, Duration time) {
    return hear(prefix, time).empty();
}

void Daemon::lease(std::uint64_t serial, Instant end, const std::string& flags) const {
    tell("lease " + std::to_string(serial) + " " + std::to_string(ns(end)) + " " + flags);
}

bool Daemon::hold(std::uint64_t serial, Instant end, const std::string& flags) {
    lease(serial, end, flags);
    for (;;) {
        const std::string line = hear("acked ");
        if (line.empty()) {
            return false;
        }
        if (std::stoull(line.substr(line.rfind(' '))) >= serial) {
            return true;
        }
    }
}

bool Daemon::enlist(std::uint64_t client, pid_t pid) {
    tell("enlist " + std::to_string(client) + " " + std::to_string(pid));
    const std::string name = "client " + std::to_string(client) + " ";
    return hear(name) == name + "held";
}

RunDir::RunDir() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);  // Guardians detach: reap them here, whatever init does.
    std::string pattern = "/tmp/css-guardian-XXXXXX";
    CSS_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    for (const char* log : {"/alert.log", "/cssd.trc"}) {
        std::ofstream{path_ + log};  // Guardians append to logs that are there.
    }
    std::array<int, 2> ends{};
    CSS_CHECK(pipe2(ends.data(), O_CLOEXEC) == 0);
    lifeline_.reset(ends[1]);
    janitor_ = fork();
    CSS_CHECK(janitor_ >= 0);
    if (janitor_ == 0) {
        close(ends[1]);
        setsid();  // A signal to the test's group must not take the janitor too.
        janitor(ends[0], path_);
    }
    close(ends[0]);
}

RunDir::~RunDir() {
    lifeline_.reset();
    waitpid(janitor_, nullptr, 0);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
}

Daemon RunDir::start(const DaemonOptions& options) const {
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    CSS_CHECK(pipe2(input.data(), O_CLOEXEC) == 0);
    CSS_CHECK(pipe2(output.data(), O_CLOEXEC) == 0);
    const std::string ack = std::to_string(options.ack_bound.count());
    const std::string words = std::to_string(options.last_words.count());
    std::vector<std::string> line{CSS_FAKE_DAEMON, path_, CSS_GUARDIAN_DIR, ack, words};
    line.insert(line.end(), options.more.begin(), options.more.end());
    std::vector<char*> arguments;
    for (std::string& argument : line) {
        arguments.push_back(argument.data());
    }
    arguments.push_back(nullptr);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    struct Child : Process {
        explicit Child(pid_t p) : Process(p) {}
    };
    Daemon daemon{Child{pid}, UniqueFd{input[1]}, UniqueFd{output[0]}};
    // The link's thread may speak before all is open: what it said is kept for the test.
    std::string said;
    std::string heard;
    do {
        heard = daemon.hear("");
        CSS_CHECK(!heard.empty());
        CSS_CHECK(heard.rfind("error", 0) != 0);
        said += heard + "\n";
    } while (heard != "open");
    daemon.buffer_.insert(0, said);
    return daemon;
}

pid_t RunDir::guardian(const std::string& name) const {
    return pid_in(path_ + "/" + name + ".pid");
}

std::string RunDir::last_gasp(const std::string& name) const {
    return file(name + ".lastgasp");
}

std::string RunDir::file(const std::string& name) const {
    std::ifstream in{path_ + "/" + name};
    return std::string{std::istreambuf_iterator<char>{in}, {}};
}

bool RunDir::gasps(const std::string& name, const std::string& text) const {
    return shows(name + ".lastgasp", text);
}

bool RunDir::shows(const std::string& name, const std::string& text, Duration patience) const {
    const Instant limit = now() + patience;
    while (file(name).find(text) == std::string::npos) {
        if (now() > limit) {
            return false;
        }
        constexpr timespec kPause{0, 5'000'000};
        nanosleep(&kPause, nullptr);
    }
    return true;
}

}  // namespace css::testing
