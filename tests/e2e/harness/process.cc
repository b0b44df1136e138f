#include "tests/e2e/harness/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::e2e {
namespace {

constexpr int kExitNotFound = 127;

/// In the child, between fork and exec: only system calls.
[[noreturn]] void become(char* const* words, const Place& place, int output, int input) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (place.network_namespace >= 0 && ::setns(place.network_namespace, CLONE_NEWNET) != 0) {
        ::_exit(kExitNotFound);
    }
    (void)::dup2(input, STDIN_FILENO);
    (void)::dup2(place.stdout_fd >= 0 ? place.stdout_fd : output, STDOUT_FILENO);
    (void)::dup2(place.stderr_fd >= 0 ? place.stderr_fd : output, STDERR_FILENO);
    (void)::execvp(words[0], words);
    ::_exit(kExitNotFound);
}

pid_t start(const Words& words, const Place& place, int input) {
    std::vector<char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(
            const_cast<char*>(word.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    }
    arguments.push_back(nullptr);
    const std::string path = place.output.empty() ? "/dev/null" : place.output;
    const UniqueFd output{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    CSS_CHECK(output.get() >= 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        become(arguments.data(), place, output.get(), input);
    }
    CSS_CHECK(pid > 0);
    return pid;
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
    std::array<int, 2> ends{};
    CSS_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    return {UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

int as_status(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/// Reads what there is; false at the end of the stream.
bool take(int fd, std::string& into) {
    std::array<char, 4096> part{};
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got > 0) {
        into.append(part.data(), static_cast<std::size_t>(got));
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/// A file without a name that holds the text, to be read from its start.
UniqueFd input_of(const std::string& text) {
    if (text.empty()) {
        return UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    }
    UniqueFd fd{static_cast<int>(::syscall(SYS_memfd_create, "input", 1U))};
    CSS_CHECK(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    CSS_CHECK(::lseek(fd.get(), 0, SEEK_SET) == 0);
    return fd;
}

/// Reads both streams to their ends; false when time is up first.
bool collect(int out_fd, int err_fd, Finished& into, Nanos deadline) {
    std::array<pollfd, 2> ends{pollfd{out_fd, POLLIN, 0}, pollfd{err_fd, POLLIN, 0}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        const Nanos left = deadline - boottime_now();
        if (left <= 0) {
            return false;
        }
        (void)::poll(ends.data(), ends.size(), static_cast<int>(left / 1'000'000) + 1);
        if (ends[0].fd >= 0 && ends[0].revents != 0 && !take(out_fd, into.out)) {
            ends[0].fd = -1;
        }
        if (ends[1].fd >= 0 && ends[1].revents != 0 && !take(err_fd, into.err)) {
            ends[1].fd = -1;
        }
    }
    return true;
}

}  // namespace

Nanos boottime_now() {
    timespec now{};
    CSS_CHECK(::clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return Nanos{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Child::Child(const Words& words, const Place& place) {
    const UniqueFd input = input_of("");
    pid_ = start(words, place, input.get());
}

Child::~Child() {
    kill();
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(std::exchange(other.status_, std::nullopt)) {}

Child& Child::operator=(Child&& other) noexcept {
    if (this != &other) {
        kill();
        pid_ = std::exchange(other.pid_, -1);
        status_ = std::exchange(other.status_, std::nullopt);
    }
    return *this;
}

bool Child::running() {
    if (pid_ < 0 || status_) {
        return false;
    }
    int wait_status = 0;
    if (::waitpid(pid_, &wait_status, WNOHANG) != pid_) {
        return true;
    }
    status_ = as_status(wait_status);
    return false;
}

void Child::signal(int number) const {
    if (pid_ > 0 && !status_) {
        (void)::kill(pid_, number);
    }
}

bool Child::wait(milliseconds patience) {
    const Nanos deadline = boottime_now() + nanos(patience);
    while (running()) {
        const Nanos left = deadline - boottime_now();
        if (left <= 0) {
            return false;
        }
        // Readable once the process has ended.
        const UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
        pollfd ended{pidfd.get(), POLLIN, 0};
        (void)::poll(&ended, 1, static_cast<int>(left / 1'000'000) + 1);
    }
    return true;
}

void Child::kill() {
    if (!running()) {
        return;
    }
    signal(SIGKILL);
    int wait_status = 0;
    while (::waitpid(pid_, &wait_status, 0) < 0 && errno == EINTR) {
    }
    status_ = as_status(wait_status);
}

Finished run(const Words& words,
             int network_namespace,
             milliseconds patience,
             const std::string& input) {
    auto [out_read, out_write] = make_pipe();
    auto [err_read, err_write] = make_pipe();
    const UniqueFd input_fd = input_of(input);
    const pid_t pid = start(words,
                            {.network_namespace = network_namespace,
                             .output = "",
                             .stdout_fd = out_write.get(),
                             .stderr_fd = err_write.get()},
                            input_fd.get());
    out_write.reset();
    err_write.reset();
    Finished finished;
    const bool in_time =
        collect(out_read.get(), err_read.get(), finished, boottime_now() + nanos(patience));
    if (!in_time) {
        (void)::kill(pid, SIGKILL);
    }
    int wait_status = 0;
    while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
    }
    finished.status = in_time ? as_status(wait_status) : -1;
    return finished;
}

void must_run(const Words& words, int network_namespace, const std::string& input) {
    const Finished done = run(words, network_namespace, std::chrono::seconds{60}, input);
    if (!done.ok()) {
        static_cast<void>(std::fprintf(
            stderr, "%s: %s%s", words.front().c_str(), done.out.c_str(), done.err.c_str()));
    }
    CSS_CHECK(done.ok());
}

std::vector<pid_t> processes_in(int network_namespace) {
    struct stat wanted {};
    CSS_CHECK(::fstat(network_namespace, &wanted) == 0);
    std::vector<pid_t> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc", failed}) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        struct stat own {};
        if (::stat((entry.path() / "ns/net").c_str(), &own) == 0 && own.st_ino == wanted.st_ino &&
            own.st_dev == wanted.st_dev) {
            found.push_back(std::stoi(name));
        }
    }
    return found;
}

std::vector<std::filesystem::path> threads_of(pid_t pid) {
    std::vector<std::filesystem::path> threads;
    std::error_code gone;
    const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& entry : std::filesystem::directory_iterator{tasks, gone}) {
        threads.push_back(entry.path());
    }
    return threads;
}

std::size_t kibibytes_of(pid_t pid, const std::string& name) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    std::size_t kibibytes = 0;
    for (std::string word; status >> word;) {
        if (word == name + ":") {
            status >> kibibytes;
            break;
        }
    }
    return kibibytes;
}

std::string program_of(pid_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/comm"};
    std::string name;
    std::getline(file, name);
    return name;
}

}  // namespace css::e2e
