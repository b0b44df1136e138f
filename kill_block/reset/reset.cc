#include "kill_block/reset/reset.h"

#include <fcntl.h>
#include <linux/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace css::guardian {
namespace {

#ifdef CSS_REAL_RESET
bool shares_its_host() {
    struct stat own {};
    struct stat first {};
    return stat("/proc/self/ns/net", &own) != 0 || stat("/proc/1/ns/net", &first) != 0 ||
           own.st_ino != first.st_ino || own.st_dev != first.st_dev;
}
#endif

}  // namespace

Reset::~Reset() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

void Reset::open(const char* file_instead) {
    if (fd_ >= 0) {
        close(fd_);
        fd_ = -1;
    }
    reboots_ = false;
    if (file_instead != nullptr && file_instead[0] != '\0') {
        fd_ = ::open(file_instead, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        return;  // Not even when it cannot be opened is the real one used.
    }
#ifdef CSS_REAL_RESET
    if (!shares_its_host()) {
        fd_ = ::open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
        reboots_ = geteuid() == 0;
    }
#endif
}

void Reset::act() const {
    if (fd_ >= 0) {
        static_cast<void>(!write(fd_, "b", 1));
    }
#ifdef CSS_REAL_RESET
    if (reboots_) {
        // Not libc's reboot(): nothing between us and the kernel. No sync.
        syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
    }
#endif
}

}  // namespace css::guardian
