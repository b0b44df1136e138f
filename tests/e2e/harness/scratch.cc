#include "tests/e2e/harness/scratch.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::e2e {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "css-e2e.";

std::string base() {
    return fs::exists("/dev/shm") ? "/dev/shm/" : "/tmp/";
}

/// Name: PREFIX PID . RANDOM
bool left_by_the_dead(const std::string& name) {
    if (!name.starts_with(kPrefix)) {
        return false;
    }
    pid_t owner = 0;
    (void)std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), owner);
    return owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH;
}

/// Each ended by its own pid; a command line is the program's arguments with zero bytes between.
void end_processes_of(const std::string& directory) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator{"/proc", failed}) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        std::ifstream file{entry.path() / "cmdline", std::ios::binary};
        const std::string words{std::istreambuf_iterator<char>{file}, {}};
        if (words.find(directory + "/") != std::string::npos) {
            (void)::kill(std::stoi(name), SIGKILL);
        }
    }
}

}  // namespace

std::string make_scratch() {
    std::error_code failed;
    std::vector<std::string> left;
    for (const auto& entry : fs::directory_iterator{base(), failed}) {
        if (left_by_the_dead(entry.path().filename().string())) {
            left.push_back(entry.path().string());
        }
    }
    for (const std::string& directory : left) {
        remove_scratch(directory);
    }
    std::string made = base() + std::string{kPrefix} + std::to_string(::getpid()) + ".XXXXXX";
    CSS_CHECK(::mkdtemp(made.data()) != nullptr);
    CSS_CHECK(::chmod(made.c_str(), 0755) == 0);  // Other users' tools reach the run directories.
    return made;
}

void remove_scratch(const std::string& directory) {
    end_processes_of(directory);
    std::error_code ignored;
    fs::remove_all(directory, ignored);
}

std::string kept_scratch(const std::string& directory) {
    std::string kept = directory;
    return kept.replace(kept.rfind(kPrefix), kPrefix.size(), "css-kept.");
}

void keep_scratch(const std::string& directory) {
    end_processes_of(directory);
    fs::rename(directory, kept_scratch(directory));
}

}  // namespace css::e2e
