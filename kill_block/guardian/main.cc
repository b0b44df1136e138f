/// cssdagent and cssdmonitor: one program, two names. Starts, detaches, serves; see GUARDIAN.md.
/// Linked statically and without iostreams, because all of it is locked in memory.

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kill_block/guardian/service.h"

namespace {

using css::guardian::Privileges;
using css::guardian::Service;
using css::guardian::ServiceOptions;

constexpr int kExitUsage = 2;
constexpr int kExitServed = 3;  ///< Another one serves this run_dir.

struct Options {
    const char* name = nullptr;
    const char* run_dir = nullptr;
    const char* state_dir = nullptr;
    int priority = 0;
};

using Path = std::array<char, sizeof(sockaddr_un::sun_path)>;

bool make_path(Path& path, const char* directory, const char* name, const char* suffix) {
    const int length = std::snprintf(path.data(), path.size(), "%s/%s%s", directory, name, suffix);
    return length > 0 && static_cast<std::size_t>(length) < path.size();
}

[[noreturn]] void fail(const Options& options, const char* what) {
    static_cast<void>(std::fprintf(stderr, "%s: %s: %s\n", options.name, what, strerror(errno)));
    std::exit(1);
}

[[noreturn]] void usage(const Options& options, const char* what) {
    static_cast<void>(std::fprintf(stderr, "%s: %s (see --help)\n", options.name, what));
    std::exit(kExitUsage);
}

[[noreturn]] void help(const Options& options) {
    static_cast<void>(
        std::printf("%s --run-dir DIR [--state-dir DIR] [--priority N]\n"
                    "Guards the lease of the cssd that serves DIR. Started by cssd; ended by "
                    "'crsctl stop css'.\n"
                    "  --run-dir DIR    socket %s.sock and pid file %s.pid\n"
                    "  --state-dir DIR  for the last-gasp file (default: the run directory)\n"
                    "  --priority N     real-time priority 1..99 (default 0: none)\n",
                    options.name,
                    options.name,
                    options.name));
    std::exit(0);
}

int parse_priority(const Options& options, const char* text) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > 99) {
        usage(options, "--priority: give a whole number from 0 to 99");
    }
    return static_cast<int>(value);
}

Options parse(int argc, char** argv) {
    Options options;
    const char* slash = std::strrchr(argv[0], '/');
    options.name = slash == nullptr ? argv[0] : slash + 1;
    if (std::strcmp(options.name, "cssdagent") != 0 &&
        std::strcmp(options.name, "cssdmonitor") != 0) {
        usage(options, "run it under the name cssdagent or cssdmonitor");
    }
    for (int i = 1; i < argc; i += 2) {  // Every other option has a value.
        if (std::strcmp(argv[i], "--help") == 0) {
            help(options);
        }
        if (std::strcmp(argv[i], "--version") == 0) {
            static_cast<void>(std::printf("%s %s\n", options.name, CSS_VERSION));
            std::exit(0);
        }
        if (i + 1 == argc) {
            usage(options, "unknown option, or an argument is missing");
        }
        const char* value = argv[i + 1];
        if (std::strcmp(argv[i], "--run-dir") == 0) {
            options.run_dir = value;
        } else if (std::strcmp(argv[i], "--state-dir") == 0) {
            options.state_dir = value;
        } else if (std::strcmp(argv[i], "--priority") == 0) {
            options.priority = parse_priority(options, value);
        } else {
            usage(options, "unknown option");
        }
    }
    if (options.run_dir == nullptr) {
        usage(options, "--run-dir is missing");
    }
    options.state_dir = options.state_dir == nullptr ? options.run_dir : options.state_dir;
    return options;
}

/// The lock on the pid file says who serves; it goes with the last process that holds it.
int lock_pid_file(const Options& options, const Path& path) {
    const int fd = open(path.data(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        fail(options, path.data());
    }
    // A former one that just ended may have removed the file that we opened: then the lock says
    // nothing. Whoever started us tries again.
    struct stat opened {};
    struct stat named {};
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &opened) != 0 ||
        stat(path.data(), &named) != 0 || opened.st_ino != named.st_ino) {
        std::exit(kExitServed);
    }
    return fd;
}

/// With the lock held, a socket that is there belongs to nobody.
int listen_at(const Options& options, const Path& path) {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    unlink(path.data());
    const mode_t former = umask(0177);
    // sockaddr_un is passed as a sockaddr by the interface's own design.
    const bool bound =
        fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    umask(former);
    constexpr int kBacklog = 16;
    if (!bound || listen(fd, kBacklog) != 0) {
        fail(options, path.data());
    }
    return fd;
}

void fork_and_leave(const Options& options) {
    const pid_t child = fork();
    if (child < 0) {
        fail(options, "fork");
    }
    if (child > 0) {
        _exit(0);
    }
}

/// Out of the daemon's session and process group, with no terminal and no directory held.
void detach(const Options& options) {
    fork_and_leave(options);
    if (setsid() < 0) {
        fail(options, "setsid");
    }
    fork_and_leave(options);
    static_cast<void>(!chdir("/"));
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; ++fd) {
        dup2(null, fd);
    }
    close(null);
}

/// Only the shutdown message and SIGKILL end a guardian: a SIGTERM to the whole service at its stop
/// must not take away the guard before the daemon has left.
void ignore_signals() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2}) {
        std::signal(signal, SIG_IGN);
    }
}

Privileges take_privileges(int priority) {
    Privileges got;
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;  // One descriptor per client.
        static_cast<void>(setrlimit(RLIMIT_NOFILE, &files));
    }
    const sched_param parameters{.sched_priority = priority};
    got.realtime =
        priority == 0 || sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) == 0;
    got.locked = mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
    return got;
}

void write_pid(int fd) {
    std::array<char, 16> text{};
    const int length = std::snprintf(text.data(), text.size(), "%d\n", getpid());
    static_cast<void>(!ftruncate(fd, 0));
    static_cast<void>(!pwrite(fd, text.data(), static_cast<std::size_t>(length), 0));
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    static_cast<void>(close_range(3, ~0U, 0));
    Path pid_path{};
    Path socket_path{};
    Path gasp_path{};
    if (!make_path(pid_path, options.run_dir, options.name, ".pid") ||
        !make_path(socket_path, options.run_dir, options.name, ".sock") ||
        !make_path(gasp_path, options.state_dir, options.name, ".lastgasp")) {
        usage(options, "the path of the run or state directory is too long");
    }
    ignore_signals();
    const int pid_file = lock_pid_file(options, pid_path);
    const int listener = listen_at(options, socket_path);
    // The socket waits already: whoever started us may connect as soon as this process has ended.
    detach(options);
    write_pid(pid_file);
    static Service service{ServiceOptions{.name = options.name,
                                          .listener = listener,
                                          .last_gasp_path = gasp_path.data(),
                                          .privileges = take_privileges(options.priority)}};
    if (!service.open()) {
        return 1;
    }
    service.run();
    unlink(socket_path.data());
    unlink(pid_path.data());
    return 0;
}
