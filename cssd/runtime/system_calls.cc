#include "cssd/runtime/system_calls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include <seccomp.h>
#include <sys/socket.h>

namespace css::runtime {
namespace {

// A name that a machine does not have is left out.

/// What an attacker would want next, and this daemon never does once it has started.
constexpr std::array kRefused{
    // Programs, and other processes' memory.
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    "personality",
    "userfaultfd",
    "perf_event_open",
    "bpf",
    // Mounts, namespaces, devices, quotas.
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "unshare",
    "setns",
    "mknod",
    "mknodat",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "quotactl",
    "quotactl_fd",
    "swapon",
    "swapoff",
    // The kernel itself, its log and keys.
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "iopl",
    "ioperm",
    "modify_ldt",
    "syslog",
    "acct",
    "vhangup",
    "add_key",
    "request_key",
    "keyctl",
    "uselib",
    "lookup_dcookie",
    // Clocks, names, other users.
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "setuid",
    "setreuid",
    "setresuid",
    "setfsuid",
    "setgid",
    "setregid",
    "setresgid",
    "setfsgid",
    "setgroups",
    "migrate_pages",
    "move_pages",
};

/// What the daemon was seen to use in all tests of whole clusters, with what other versions of libc
/// use in its place.
constexpr std::array kUsed{
    // Files and directories.
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "open",
    "openat",
    "openat2",
    "close",
    "close_range",
    "lseek",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "ioctl",
    "flock",
    "fsync",
    "fdatasync",
    "ftruncate",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "getdents64",
    "getcwd",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "umask",
    // Rings and waiting.
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "pipe2",
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall",
    // Sockets; socket() itself is looked at below.
    "socketpair",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    // Memory.
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "mlock",
    "mlock2",
    "munlock",
    "mlockall",
    "memfd_create",
    // Threads, signals, clocks; the last resort.
    "clone",
    "clone3",
    "futex",
    "set_robust_list",
    "get_robust_list",
    "set_tid_address",
    "rseq",
    "membarrier",
    "arch_prctl",
    "prctl",
    "sched_yield",
    "sched_setscheduler",
    "sched_getscheduler",
    "sched_setparam",
    "sched_getparam",
    "sched_get_priority_min",
    "sched_get_priority_max",
    "sched_getaffinity",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "sigaltstack",
    "kill",
    "tkill",
    "tgkill",
    "pidfd_open",
    "pidfd_send_signal",
    "wait4",
    "waitid",
    "exit",
    "exit_group",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "reboot",
    // Who and where this is.
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
    "prlimit64",
    "getrusage",
    "sysinfo",
    "uname",
    "getcpu",
    "getrandom",
    "capget",
};

struct Release {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

bool add(const Filter& filter, std::uint32_t action, const char* name) {
    const int number = ::seccomp_syscall_resolve_name(name);
    return number == __NR_SCMP_ERROR || ::seccomp_rule_add(filter.get(), action, number, 0) == 0;
}

/// Sockets of other kinds than the daemon has reach much of the kernel that is seldom looked at.
bool add_sockets(const Filter& filter) {
    const auto rule = [&filter](std::uint32_t action, scmp_compare compare, int family) {
        const scmp_arg_cmp its_family{0, compare, static_cast<scmp_datum_t>(family), 0};
        return ::seccomp_rule_add(filter.get(), action, SCMP_SYS(socket), 1, its_family) == 0;
    };
    const std::uint32_t refused = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    bool added = rule(refused, SCMP_CMP_GE, AF_MAX);
    for (int family = AF_UNSPEC; family < AF_MAX; ++family) {
        const bool ours = family == AF_UNIX || family == AF_INET || family == AF_INET6;
        added = added && rule(ours ? SCMP_ACT_ALLOW : refused, SCMP_CMP_EQ, family);
    }
    return added;
}

bool add_rules(const Filter& filter) {
    const auto all = [&filter](const auto& names, std::uint32_t action) {
        return std::ranges::all_of(names,
                                   [&](const char* name) { return add(filter, action, name); });
    };
    return all(kRefused, SCMP_ACT_ERRNO(EPERM)) && all(kUsed, SCMP_ACT_ALLOW) &&
           add_sockets(filter);
}

/// Of calls that belong to neither list.
std::uint32_t otherwise(config::Sandbox sandbox) {
    // libc knows what to do without a call that does not exist.
    return sandbox == config::Sandbox::kStrict ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_LOG;
}

}  // namespace

Result<std::string> refuse_system_calls(config::Sandbox sandbox) {
    const Filter filter{::seccomp_init(otherwise(sandbox))};
    constexpr std::uint32_t kBinaryTree = 2;
    int failed = filter == nullptr ? -ENOMEM : 0;
    const auto set = [&](scmp_filter_attr attribute, std::uint32_t value) {
        failed = failed != 0 ? failed : ::seccomp_attr_set(filter.get(), attribute, value);
    };
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));  // Not death, as it is by default.
    set(SCMP_FLTATR_CTL_LOG, 1);
    set(SCMP_FLTATR_CTL_OPTIMIZE, kBinaryTree);
    if (failed == 0 && !add_rules(filter)) {
        failed = -EINVAL;
    }
    if (failed == 0 && ::seccomp_load(filter.get()) != 0) {
        failed = -errno;  // The kernel's; its own answer says less.
    }
    if (failed != 0) {
        return Error{ErrorCode::kSystem,
                     -failed,
                     std::string{"no filter of system calls: "} + std::strerror(-failed)};
    }
    return "refused are " + std::to_string(kRefused.size()) + " such as execve, ptrace and mount" +
           (sandbox == config::Sandbox::kStrict
                ? ", and all but " + std::to_string(kUsed.size()) + " others"
                : "; such as nobody thought of are let through, and logged by the kernel");
}

}  // namespace css::runtime
