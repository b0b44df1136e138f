#include "tests/faults/cgroup.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "cssd/base/check.h"

namespace css::faults {
namespace {

namespace fs = std::filesystem;

/// Where the hierarchy is mounted; empty: nowhere.
std::string root_of(const std::string& hierarchy) {
    const std::string mounted = "/sys/fs/cgroup/" + hierarchy;
    if (fs::exists(mounted + "/cgroup.procs")) {
        return mounted;
    }
    const bool alone = hierarchy == "unified" && fs::exists("/sys/fs/cgroup/cgroup.controllers");
    return alone ? "/sys/fs/cgroup" : "";
}

bool write(const std::string& path, const std::string& text) {
    std::ofstream file{path};
    file << text << std::flush;
    return file.good();
}

}  // namespace

bool Cgroup::possible(const std::string& hierarchy) {
    const std::string root = root_of(hierarchy);
    return !root.empty() && ::access(root.c_str(), W_OK) == 0;
}

Cgroup::Cgroup(const std::string& hierarchy, const std::string& name)
    : directory_(root_of(hierarchy) + "/css-" + std::to_string(::getpid()) + "-" + name) {
    fs::create_directory(directory_);
}

Cgroup::~Cgroup() {
    const std::string parent = fs::path{directory_}.parent_path().string();
    std::error_code busy;
    do {
        for (const pid_t pid : processes()) {
            (void)write(parent + "/cgroup.procs", std::to_string(pid));
        }
    } while (!fs::remove(directory_, busy) && !processes().empty());
}

void Cgroup::add(pid_t pid) const {
    (void)write(directory_ + "/cgroup.procs", std::to_string(pid));
}

std::vector<pid_t> Cgroup::processes() const {
    std::ifstream file{directory_ + "/cgroup.procs"};
    std::vector<pid_t> found;
    for (pid_t pid = 0; file >> pid;) {
        found.push_back(pid);
    }
    return found;
}

void Cgroup::set(const std::string& file, const std::string& text) const {
    CSS_CHECK(write(directory_ + "/" + file, text));
}

}  // namespace css::faults
