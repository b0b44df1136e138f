// css_fault_fs BACKING MOUNT SOCKET: shows the files of the folder BACKING at MOUNT, as one node's
// path to disks that several share, and lets what passes through go wrong on command:
//
//     hang FILE          nothing is answered any more; what waits is carried out by `clear`
//     delay FILE MS      everything is carried out and answered so much later
//     error FILE         EIO
//     drop FILE          writes are answered and land nowhere
//     tear FILE BYTES    so many bytes of a write land, and it is answered as whole
//     refuse FILE OFFSET EIO for writes of this very byte, all others are carried out
//     clear FILE
//
// One command a connection to SOCKET, of SOCK_SEQPACKET, answered `ok` when it is in force. Says
// `ready` first; ends on SIGTERM, and whatever still waits fails then.

#define FUSE_USE_VERSION 314
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"

namespace css::faults {
namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<char>;

enum class Fault { kNone, kHang, kDelay, kError, kDrop, kTear, kRefuse };

/// Everything in one thread: FUSE, commands, and what is due.
class FaultFs {
public:
    explicit FaultFs(const char* backing)
        : folder_(::open(backing, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
    [[nodiscard]] bool good() const { return folder_.get() >= 0; }

    void lookup(fuse_req_t request, const char* name);
    void get_attributes(fuse_req_t request, fuse_ino_t inode);
    void set_attributes(fuse_req_t request, fuse_ino_t inode, const struct stat& wanted, int which);
    void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info info);
    void create(fuse_req_t request, const char* name, mode_t mode, fuse_file_info info);
    void read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset);
    void write(fuse_req_t request, fuse_ino_t inode, Bytes data, off_t offset);

    /// False: no such command.
    bool command(const std::string& line);
    /// Carries out what is due; returns how many milliseconds are left until more is, or -1.
    int carry_out_due();
    void fail_all();

private:
    struct File {
        std::string name;
        UniqueFd fd;
        Fault fault = Fault::kNone;
        unsigned long amount = 0;  ///< Milliseconds or bytes.
    };
    struct Waiting {
        fuse_req_t request = nullptr;
        std::size_t file = 0;
        bool writes = false;
        Bytes data;
        std::size_t size = 0;
        off_t offset = 0;
        Clock::time_point due = Clock::time_point::max();
    };

    /// Files are opened once and stay so: an inode is 2 more than the place in `files_`.
    std::optional<std::size_t> find(const char* name, int flags = 0, mode_t mode = 0);
    File& file(fuse_ino_t inode) { return files_.at(inode - 2); }
    bool attributes(fuse_ino_t inode, struct stat& found) const;
    [[nodiscard]] std::optional<fuse_entry_param> entry(std::optional<std::size_t> place) const;
    void take(Waiting what);
    void carry_out(const Waiting& what);

    UniqueFd folder_;
    std::deque<File> files_;
    std::list<Waiting> waiting_;
};

std::optional<std::size_t> FaultFs::find(const char* name, int flags, mode_t mode) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
        if (files_[i].name == name) {
            return i;
        }
    }
    UniqueFd fd{::openat(folder_.get(), name, O_RDWR | O_CLOEXEC | flags, mode)};
    if (fd.get() < 0) {
        return std::nullopt;
    }
    files_.push_back({.name = name, .fd = std::move(fd)});
    return files_.size() - 1;
}

bool FaultFs::attributes(fuse_ino_t inode, struct stat& found) const {
    found = {};
    const int fd = inode == FUSE_ROOT_ID ? folder_.get() : files_.at(inode - 2).fd.get();
    const bool good = ::fstat(fd, &found) == 0;
    found.st_ino = inode;
    return good;
}

std::optional<fuse_entry_param> FaultFs::entry(std::optional<std::size_t> place) const {
    fuse_entry_param made{};
    made.ino = place ? *place + 2 : 0;
    return place && attributes(made.ino, made.attr) ? std::optional{made} : std::nullopt;
}

void FaultFs::lookup(fuse_req_t request, const char* name) {
    if (const auto found = entry(find(name))) {
        fuse_reply_entry(request, &*found);
    } else {
        fuse_reply_err(request, ENOENT);
    }
}

void FaultFs::get_attributes(fuse_req_t request, fuse_ino_t inode) {
    struct stat found {};
    if (!attributes(inode, found)) {
        fuse_reply_err(request, EIO);
        return;
    }
    fuse_reply_attr(request, &found, 0);
}

void FaultFs::set_attributes(fuse_req_t request,
                             fuse_ino_t inode,
                             const struct stat& wanted,
                             int which) {
    if ((which & FUSE_SET_ATTR_SIZE) != 0 &&
        ::ftruncate(file(inode).fd.get(), wanted.st_size) != 0) {
        fuse_reply_err(request, errno);
        return;
    }
    get_attributes(request, inode);
}

void FaultFs::open(fuse_req_t request, fuse_ino_t inode, fuse_file_info info) {
    if (file(inode).fault == Fault::kError) {
        fuse_reply_err(request, EIO);
        return;
    }
    info.direct_io = 1;
    fuse_reply_open(request, &info);
}

void FaultFs::create(fuse_req_t request, const char* name, mode_t mode, fuse_file_info info) {
    const auto made = entry(find(name, O_CREAT, mode));
    if (!made) {
        fuse_reply_err(request, EIO);
        return;
    }
    info.direct_io = 1;
    fuse_reply_create(request, &*made, &info);
}

void FaultFs::read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset) {
    take({.request = request, .file = inode - 2, .data = {}, .size = size, .offset = offset});
}

void FaultFs::write(fuse_req_t request, fuse_ino_t inode, Bytes data, off_t offset) {
    const std::size_t size = data.size();
    take({.request = request,
          .file = inode - 2,
          .writes = true,
          .data = std::move(data),
          .size = size,
          .offset = offset});
}

void FaultFs::take(Waiting what) {
    const File& file = files_.at(what.file);
    if (file.fault == Fault::kHang || file.fault == Fault::kDelay) {
        if (file.fault == Fault::kDelay) {
            what.due = Clock::now() + std::chrono::milliseconds{file.amount};
        }
        waiting_.push_back(std::move(what));
        return;
    }
    carry_out(what);
}

void FaultFs::carry_out(const Waiting& what) {
    const File& file = files_.at(what.file);
    if (file.fault == Fault::kError) {
        fuse_reply_err(what.request, EIO);
        return;
    }
    if (!what.writes) {
        Bytes data(what.size);
        const ssize_t count = ::pread(file.fd.get(), data.data(), data.size(), what.offset);
        if (count < 0) {
            fuse_reply_err(what.request, errno);
            return;
        }
        fuse_reply_buf(what.request, data.data(), static_cast<std::size_t>(count));
        return;
    }
    const auto begin = static_cast<unsigned long>(what.offset);
    const bool here = begin <= file.amount && file.amount < begin + what.size;
    if (file.fault == Fault::kRefuse && here) {
        fuse_reply_err(what.request, EIO);
        return;
    }
    std::size_t lands = what.size;
    if (file.fault == Fault::kDrop) {
        lands = 0;
    } else if (file.fault == Fault::kTear) {
        lands = std::min<std::size_t>(lands, file.amount);
    }
    if (::pwrite(file.fd.get(), what.data.data(), lands, what.offset) < 0) {
        fuse_reply_err(what.request, errno);
        return;
    }
    fuse_reply_write(what.request, what.size);
}

int FaultFs::carry_out_due() {
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        if (at->due <= now) {
            carry_out(*at);
            at = waiting_.erase(at);
        } else {
            next = std::min(next, at->due);
            ++at;
        }
    }
    if (next == Clock::time_point::max()) {
        return -1;
    }
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
}

void FaultFs::fail_all() {
    for (const Waiting& what : waiting_) {
        fuse_reply_err(what.request, EIO);
    }
    waiting_.clear();
}

bool FaultFs::command(const std::string& line) {
    constexpr std::array<const char*, 7> kNames{
        "clear", "hang", "delay", "error", "drop", "tear", "refuse"};
    std::istringstream words{line};
    std::string verb;
    std::string name;
    unsigned long amount = 0;
    words >> verb >> name >> amount;
    const auto* const known = std::find(kNames.begin(), kNames.end(), verb);
    const auto place = find(name.c_str());
    if (known == kNames.end() || !place) {
        return false;
    }
    files_[*place].fault = static_cast<Fault>(known - kNames.begin());
    files_[*place].amount = amount;
    if (files_[*place].fault != Fault::kHang) {
        for (Waiting& what : waiting_) {
            what.due = what.file == *place ? Clock::time_point::min() : what.due;
        }
    }
    return true;
}

// ------------------------------------------------------------------------------------ FUSE

FaultFs& fs(fuse_req_t request) {
    return *static_cast<FaultFs*>(fuse_req_userdata(request));
}

fuse_lowlevel_ops operations() {
    fuse_lowlevel_ops ops{};
    ops.lookup = [](fuse_req_t r, fuse_ino_t, const char* name) { fs(r).lookup(r, name); };
    ops.getattr = [](fuse_req_t r, fuse_ino_t inode, fuse_file_info*) {
        fs(r).get_attributes(r, inode);
    };
    ops.setattr =
        [](fuse_req_t r, fuse_ino_t inode, struct stat* wanted, int which, fuse_file_info*) {
            fs(r).set_attributes(r, inode, *wanted, which);
        };
    ops.open = [](fuse_req_t r, fuse_ino_t inode, fuse_file_info* info) {
        fs(r).open(r, inode, *info);
    };
    ops.create = [](fuse_req_t r, fuse_ino_t, const char* name, mode_t mode, fuse_file_info* info) {
        fs(r).create(r, name, mode, *info);
    };
    ops.read = [](fuse_req_t r, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
        fs(r).read(r, inode, size, offset);
    };
    ops.write = [](fuse_req_t r,
                   fuse_ino_t inode,
                   const char* data,
                   std::size_t size,
                   off_t offset,
                   fuse_file_info*) { fs(r).write(r, inode, Bytes(data, data + size), offset); };
    ops.fsync = [](fuse_req_t r, fuse_ino_t, int, fuse_file_info*) { fuse_reply_err(r, 0); };
    return ops;
}

// -------------------------------------------------------------------------------- commands

UniqueFd listen_at(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(&address.sun_path[0], sizeof address.sun_path, "%s", path);
    UniqueFd listener{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    void* const any = &address;
    if (::bind(listener.get(), static_cast<sockaddr*>(any), sizeof address) != 0 ||
        ::listen(listener.get(), 8) != 0) {
        return UniqueFd{};
    }
    return listener;
}

void serve(FaultFs& fs, int listener) {
    const UniqueFd caller{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
    std::array<char, 256> line{};
    const ssize_t size = ::recv(caller.get(), line.data(), line.size(), 0);
    if (size > 0) {
        const bool known = fs.command({line.data(), static_cast<std::size_t>(size)});
        const std::string answer = known ? "ok" : "no such command or file";
        (void)::send(caller.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
}

int run(const char* backing, const char* mount, const char* socket) {
    FaultFs fs{backing};
    if (!fs.good()) {
        std::perror(backing);
        return 1;
    }
    const fuse_lowlevel_ops ops = operations();
    std::array<std::string, 3> words{
        "css_fault_fs", "-o", "fsname=css_fault_fs,default_permissions,allow_other"};
    std::array<char*, 3> arguments{words[0].data(), words[1].data(), words[2].data()};
    fuse_args args = FUSE_ARGS_INIT(arguments.size(), arguments.data());
    fuse_session* const session = fuse_session_new(&args, &ops, sizeof ops, &fs);
    if (session == nullptr || fuse_set_signal_handlers(session) != 0 ||
        fuse_session_mount(session, mount) != 0) {
        std::fprintf(stderr, "css_fault_fs: %s cannot be mounted\n", mount);
        return 1;
    }
    const UniqueFd listener = listen_at(socket);
    std::puts("ready");
    std::fflush(stdout);
    fuse_buf buffer{};
    while (listener.get() >= 0 && fuse_session_exited(session) == 0) {
        const int wait = fs.carry_out_due();
        std::array<pollfd, 2> ready{pollfd{fuse_session_fd(session), POLLIN, 0},
                                    pollfd{listener.get(), POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), wait) < 0) {
            continue;
        }
        if (ready[1].revents != 0) {
            serve(fs, listener.get());
        }
        if (ready[0].revents != 0) {
            const int size = fuse_session_receive_buf(session, &buffer);
            if (size > 0) {
                fuse_session_process_buf(session, &buffer);
            } else if (size != -EINTR && size != -EAGAIN) {
                break;
            }
        }
    }
    fs.fail_all();
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    std::free(buffer.mem);
    return 0;
}

}  // namespace
}  // namespace css::faults

int main(int argc, char** argv) {
    // A disk is not slow because the processors are busy. Where it is not allowed, it is, then.
    const sched_param above_daemons{.sched_priority = 10};
    (void)::sched_setscheduler(0, SCHED_RR, &above_daemons);
    if (argc != 4) {
        std::fputs("css_fault_fs BACKING MOUNT SOCKET\n", stderr);
        return 2;
    }
    return css::faults::run(argv[1], argv[2], argv[3]);
}
