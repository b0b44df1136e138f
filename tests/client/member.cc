#include "tests/client/member.h"

#include <array>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::testing {

struct Member::Started : Process {
    Started(pid_t pid, UniqueFd in, UniqueFd out)
        : Process(pid), input(std::move(in)), output(std::move(out)) {}
    UniqueFd input;
    UniqueFd output;
};

Member::Started Member::start(const std::vector<std::string>& words) {
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    CSS_CHECK(pipe2(input.data(), O_CLOEXEC) == 0);
    CSS_CHECK(pipe2(output.data(), O_CLOEXEC) == 0);
    std::vector<char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const pid_t pid = fork();
    CSS_CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    return Started{pid, UniqueFd{input[1]}, UniqueFd{output[0]}};
}

Member::Member(Started&& started)
    : process_(std::move(started)),
      input_(std::move(started.input)),
      output_(std::move(started.output)) {
    CSS_CHECK(!hear("registered").empty());
}

Member::Member(const std::string& run_dir,
               const std::string& group,
               const std::vector<std::string>& options)
    : Member(start([&] {
          std::vector<std::string> words{CSS_TEST_MEMBER, run_dir, group};
          words.insert(words.end(), options.begin(), options.end());
          return words;
      }())) {}

void Member::tell(const std::string& line) const {
    const std::string whole = line + "\n";
    CSS_CHECK(write(input_.get(), whole.data(), whole.size()) ==
              static_cast<ssize_t>(whole.size()));
}

std::string Member::hear(const std::string& prefix, Duration patience) {
    const Instant limit = now() + patience;
    for (;;) {
        for (std::size_t at = 0, end = 0; (end = buffer_.find('\n', at)) != std::string::npos;
             at = end + 1) {
            if (buffer_.compare(at, prefix.size(), prefix) == 0) {
                const std::string line = buffer_.substr(at, end - at);
                buffer_.erase(at, end + 1 - at);
                return line;
            }
        }
        const auto left = std::chrono::duration_cast<milliseconds>(limit - now()).count();
        pollfd readable{.fd = output_.get(), .events = POLLIN, .revents = 0};
        std::array<char, 4096> bytes{};
        if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) != 1) {
            return "";
        }
        const ssize_t got = read(output_.get(), bytes.data(), bytes.size());
        if (got <= 0) {
            return "";
        }
        buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    }
}

std::string Member::ask(const std::string& line, const std::string& answer) {
    tell(line);
    const std::string heard = hear(answer);
    return heard.empty() ? "" : heard.substr(answer.size());
}

std::uint64_t Member::join(const std::string& data) {
    const std::string answer = ask("join " + data);
    CSS_CHECK(answer.rfind("0 ", 0) == 0);
    return std::stoull(answer.substr(2));
}

}  // namespace css::testing
