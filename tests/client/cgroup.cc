#include "tests/client/cgroup.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace css::testing {
namespace {

namespace fs = std::filesystem;

/// Where the hierarchy is mounted; empty: nowhere.
std::string mount_point(client::CgroupKind kind) {
    std::ifstream mounts{"/proc/self/mounts"};
    std::string device;
    std::string point;
    std::string type;
    std::string options;
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words{line};
        words >> device >> point >> type >> options;
        const bool freezer = ("," + options + ",").find(",freezer,") != std::string::npos;
        switch (kind) {
            case client::CgroupKind::kV2:
                if (type == "cgroup2") {
                    return point;
                }
                break;
            case client::CgroupKind::kV1Freezer:
                if (type == "cgroup" && freezer) {
                    return point;
                }
                break;
        }
    }
    return {};
}

void end_all(const std::string& path) {
    std::ifstream processes{path + "/cgroup.procs"};
    for (pid_t pid = 0; processes >> pid;) {
        ::kill(pid, SIGKILL);
    }
}

}  // namespace

std::optional<TestCgroup> TestCgroup::make(client::CgroupKind kind) {
    const std::string point = mount_point(kind);
    if (point.empty()) {
        return std::nullopt;
    }
    const std::string path = point + "/css-test-" + std::to_string(::getpid());
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
        return std::nullopt;
    }
    return TestCgroup{path};
}

TestCgroup::~TestCgroup() {
    if (path_.empty()) {
        return;
    }
    // A process that was killed leaves its cgroup a moment later.
    for (int tries = 0; tries < 500 && fs::exists(path_); ++tries) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator{path_, ignored}) {
            if (entry.is_directory(ignored)) {
                end_all(entry.path());
                ::rmdir(entry.path().c_str());
            }
        }
        end_all(path_);
        if (::rmdir(path_.c_str()) != 0) {
            ::poll(nullptr, 0, 10);
        }
    }
}

std::string TestCgroup::root() const {
    return path_.substr(0, path_.rfind('/'));
}

void TestCgroup::add(pid_t pid, const std::string& below) const {
    const std::string where = below.empty() ? path_ : path_ + "/" + below;
    ::mkdir(where.c_str(), 0755);
    std::ofstream{where + "/cgroup.procs"} << pid;
}

void TestCgroup::release(pid_t pid) const {
    std::ofstream{root() + "/cgroup.procs"} << pid;
}

}  // namespace css::testing
