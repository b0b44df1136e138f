#include "tests/simulator/attempt.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/simulator/campaign.h"
#include "tests/simulator/replay.h"
#include "tests/simulator/run.h"

namespace css::sim {
namespace {

/// A child's results and what it said on stderr, in memory that both have.
class Channel {
public:
    Channel() : file_(memfd_create("css_sim attempt", 0)) { CSS_CHECK(file_ >= 0); }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    Channel(Channel&&) = delete;
    Channel& operator=(Channel&&) = delete;
    ~Channel() { close(file_); }

    void use_as(int descriptor) const { dup2(file_, descriptor); }
    void write(const std::string& text) const {
        CSS_CHECK(::write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    [[nodiscard]] std::string read(off_t from = 0) const {
        std::array<char, 8192> text{};
        const ssize_t size = pread(file_, text.data(), text.size(), from);
        return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }
    /// What came last, in whole lines.
    [[nodiscard]] std::string read_end() const {
        const off_t size = lseek(file_, 0, SEEK_END);
        const std::string text = read(std::max<off_t>(0, size - 8192));
        return size <= 8192 ? text : text.substr(text.find('\n') + 1);
    }

private:
    int file_;
};

std::string line_of(const std::string& text, unsigned number) {
    std::size_t begin = 0;
    for (unsigned i = 0; i < number && begin != std::string::npos; ++i) {
        begin = text.find('\n', begin);
        begin += begin == std::string::npos ? 0 : 1;
    }
    return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

std::string Attempt::describe() const {
    const std::string name = crashed ? "CRASH" : title(verdict);
    if (crashed) {
        return name + ": " + invariant;
    }
    return name + " at " + std::to_string(at / 1'000'000'000) + " s: " + invariant + ": " + what;
}

bool Attempt::same_failure(const Attempt& other) const {
    const auto reason = [](const std::string& text) {
        return text.substr(0, text.find_first_of("0123456789{"));
    };
    return crashed == other.crashed && verdict == other.verdict && invariant == other.invariant &&
           reason(what) == reason(other.what);
}

int Attempt::exit_code() const {
    return crashed ? kExitCrash : sim::exit_code(verdict);
}

Attempt attempt(const Options& options) {
    const Channel channel;
    std::fflush(nullptr);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        channel.use_as(STDERR_FILENO);
        Counters counters;
        const RunResult result = run_seed(options, counters, TraceMode::kOff);
        channel.write(result.invariant + "\n" + result.what + "\n" + std::to_string(result.at));
        _exit(exit_code(result.verdict));
    }
    int status = 0;
    CSS_CHECK(waitpid(pid, &status, 0) == pid);
    const std::string said = channel.read();
    Attempt result;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : kExitCrash;
    result.crashed = code != kExitPassed && code != kExitSafety && code != kExitLiveness;
    result.invariant = line_of(said, 0);
    if (result.crashed) {
        result.at = SimTime{1} << 62;
        return result;
    }
    result.verdict = code == kExitPassed   ? Verdict::kPassed
                     : code == kExitSafety ? Verdict::kSafety
                                           : Verdict::kLiveness;
    result.what = line_of(said, 1);
    result.at = std::stoll(line_of(said, 2));
    return result;
}

std::string last_words(const Options& options) {
    const Channel channel;
    std::fflush(nullptr);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        channel.use_as(STDOUT_FILENO);
        channel.use_as(STDERR_FILENO);
        std::setvbuf(stdout, nullptr, _IOLBF, 0);
        Counters counters;
        run_seed(options, counters, TraceMode::kPrint);
        _exit(0);
    }
    CSS_CHECK(waitpid(pid, nullptr, 0) == pid);
    return channel.read_end();
}

}  // namespace css::sim
