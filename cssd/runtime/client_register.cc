#include "cssd/runtime/client_register.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kill_block/guardian/process.h"

namespace css::runtime {
namespace {

using guardian::ClientForm;
using guardian::FormerClient;

// A file of lines. The first is `boot NUMBER`; then `+ KEY FORM ID WHERE` adds a client and `- KEY`
// takes it away. KEY is the client's number, or `f` and a number for those of former daemons.
constexpr std::size_t kRemovedMax = 1000;  ///< So many dead lines, and the file is written anew.
constexpr std::size_t kPruneMin = 1000;

Error failed(const std::string& path) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, path + ": " + std::strerror(number)};
}

std::string_view word_of(ClientForm form) {
    switch (form) {
        case ClientForm::kProcess: return "process";
        case ClientForm::kCgroup: return "cgroup";
        case ClientForm::kFreezer: return "freezer";
    }
    return "";
}

/// In clock ticks since boot; 0: there is no such process.
std::uint64_t start_time_of(pid_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string text;
    std::getline(file, text);
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return 0;
    }
    std::istringstream rest{text.substr(name_end + 1)};
    std::string word;
    constexpr int kStartTimeField = 22;
    for (int field = 3; field < kStartTimeField && rest >> word; ++field) {
    }
    std::uint64_t start = 0;
    rest >> start;
    return start;
}

/// `FORM ID WHERE`, naming what is behind the descriptor for as long as this boot lasts.
Result<std::string> name_of(int descriptor, ClientForm form) {
    if (form == ClientForm::kProcess) {
        const pid_t pid = guardian::pid_of(descriptor);
        return std::string{word_of(form)} + " " + std::to_string(start_time_of(pid)) + " " +
               std::to_string(pid);
    }
    struct stat status {};
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
    if (length <= 0 || ::fstat(descriptor, &status) != 0) {
        return failed(link);
    }
    return std::string{word_of(form)} + " " + std::to_string(status.st_ino) + " " +
           std::string{path.data(), static_cast<std::size_t>(length)};
}

/// Not open: what the line names is gone.
FormerClient find(const std::string& name) {
    std::istringstream words{name};
    std::string form;
    std::uint64_t id = 0;
    words >> form >> id >> std::ws;
    std::string where;
    std::getline(words, where);
    FormerClient found;
    if (form == word_of(ClientForm::kProcess)) {
        const auto pid = static_cast<pid_t>(std::strtol(where.c_str(), nullptr, 10));
        found.descriptor.reset(pid > 1 ? guardian::open_pidfd(pid) : -1);
        if (id == 0 || start_time_of(pid) != id) {
            found.descriptor.reset();  // Looked at while we hold it: the number is another's now.
        }
        return found;
    }
    found.form = form == word_of(ClientForm::kFreezer) ? ClientForm::kFreezer : ClientForm::kCgroup;
    found.descriptor.reset(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    if (found.descriptor.is_open() &&
        (::fstat(found.descriptor.get(), &status) != 0 || status.st_ino != id)) {
        found.descriptor.reset();
    }
    return found;
}

bool write_whole(int fd, const std::string& text) {
    return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

Result<std::unique_ptr<ClientRegister>> ClientRegister::open(const std::string& run_dir,
                                                             const BootId& boot) {
    std::unique_ptr<ClientRegister> made{new ClientRegister{run_dir + "/clients", boot}};
    made->read();
    const std::lock_guard lock{made->mutex_};
    made->prune_at_ = kPruneMin;
    if (const Status written = made->write_all(); !written) {
        return written.error();
    }
    return made;
}

void ClientRegister::read() {
    std::ifstream file{path_};
    std::string line;
    std::getline(file, line);
    if (line != "boot " + std::to_string(boot_.value())) {
        return;  // None, or of another boot: nothing of that lives.
    }
    std::map<std::string, std::string> found;
    while (std::getline(file, line)) {
        std::istringstream words{line};
        std::string sign;
        std::string key;
        words >> sign >> key >> std::ws;
        std::string name;
        std::getline(words, name);
        if (sign == "+") {
            found[key] = name;
        } else if (sign == "-") {
            found.erase(key);
        }
    }
    for (const auto& [key, name] : found) {
        if (FormerClient former = find(name); former.descriptor.is_open()) {
            formers_.push_back(std::move(former));
            former_lines_.push_back("f" + std::to_string(formers_.size()) + " " + name);
        }
    }
}

Status ClientRegister::write_all() {
    std::string text = "boot " + std::to_string(boot_.value()) + "\n";
    for (const std::string& line : former_lines_) {
        text += "+ " + line + "\n";
    }
    for (const auto& [client, name] : lines_) {
        text += "+ " + std::to_string(client) + " " + name + "\n";
    }
    const std::string fresh = path_ + ".new";
    const UniqueFd fd{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!fd.is_open() || !write_whole(fd.get(), text) ||
        ::rename(fresh.c_str(), path_.c_str()) != 0) {
        return failed(path_);
    }
    removed_ = 0;
    return Done{};
}

std::vector<FormerClient> ClientRegister::take_formers() {
    const std::lock_guard lock{mutex_};
    return std::exchange(formers_, {});
}

void ClientRegister::forget_formers() {
    const std::lock_guard lock{mutex_};
    former_lines_.clear();
    static_cast<void>(write_all());  // Left in the file they are looked for once more; no harm.
}

Status ClientRegister::add(std::uint64_t client, int descriptor, ClientForm form) {
    const auto name = name_of(descriptor, form);
    if (!name) {
        return name.error();
    }
    const std::lock_guard lock{mutex_};
    const UniqueFd fd{::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
    const std::string line = "+ " + std::to_string(client) + " " + *name + "\n";
    if (!fd.is_open() || !write_whole(fd.get(), line)) {
        return failed(path_);
    }
    lines_[client] = *name;
    if (lines_.size() >= prune_at_) {
        prune();
    }
    return Done{};
}

/// Processes that ended by themselves are not taken off the list one by one.
void ClientRegister::prune() {
    std::erase_if(lines_, [](const auto& line) { return !find(line.second).descriptor.is_open(); });
    prune_at_ = std::max(kPruneMin, 2 * lines_.size());
    static_cast<void>(write_all());
}

void ClientRegister::remove(std::uint64_t client) {
    const std::lock_guard lock{mutex_};
    if (lines_.erase(client) == 0) {
        return;
    }
    const UniqueFd fd{::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
    static_cast<void>(fd.is_open() && write_whole(fd.get(), "- " + std::to_string(client) + "\n"));
    if (++removed_ >= kRemovedMax) {
        static_cast<void>(write_all());
    }
}

}  // namespace css::runtime
