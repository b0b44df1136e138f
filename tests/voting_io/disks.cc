#include "tests/voting_io/disks.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cssd/base/check.h"
#include "voting/io/system_error.h"

namespace css::test {
namespace {

using voting::Fd;
using voting::system_error;

constexpr std::size_t kPage = 4096;
constexpr off_t kFileSystemSize = 16 << 20;

struct PageDeleter {
    void operator()(void* memory) const { std::free(memory); }
};

int run(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_t child = -1;
    if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) {
        return -1;
    }
    int status = -1;
    CSS_CHECK(::waitpid(child, &status, 0) == child);
    return status;
}

/// Thaws when the test's process is gone or done: a frozen file system would outlive both.
pid_t start_keeper(int alive, int root, const Fd& other_end) {
    const pid_t child = ::fork();
    CSS_CHECK(child >= 0);
    if (child != 0) {
        return child;
    }
    (void)::close(other_end.get());
    (void)::signal(SIGTERM, SIG_IGN);
    (void)::signal(SIGINT, SIG_IGN);
    char byte = 0;
    while (::read(alive, &byte, 1) < 0 && errno == EINTR) {
    }
    (void)::ioctl(root, FITHAW, 0);
    ::_exit(0);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    path_ = ::testing::TempDir() + "css_disks_XXXXXX";
    CSS_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, std::uint64_t offset, std::span<const std::byte> bytes) {
    const Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    CSS_CHECK(fd.is_open());
    CSS_CHECK(::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
              static_cast<ssize_t>(bytes.size()));
    CSS_CHECK(::fsync(fd.get()) == 0);
}

std::vector<std::byte> read_file(const std::string& path, std::uint64_t offset, std::size_t size) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)};
    CSS_CHECK(fd.is_open());
    const std::size_t skipped = offset % kPage;
    const std::size_t rounded = (skipped + size + kPage - 1) / kPage * kPage;
    const std::unique_ptr<void, PageDeleter> memory{std::aligned_alloc(kPage, rounded)};
    const ssize_t got =
        ::pread(fd.get(), memory.get(), rounded, static_cast<off_t>(offset - skipped));
    CSS_CHECK(got >= static_cast<ssize_t>(skipped + size));
    const auto* first = static_cast<const std::byte*>(memory.get()) + skipped;
    return {first, first + size};
}

Result<LoopDevice> LoopDevice::attach(const std::string& file, unsigned sector_size) {
    const Fd control{::open("/dev/loop-control", O_RDWR | O_CLOEXEC)};
    const Fd backing{::open(file.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)};
    if (!control.is_open() || !backing.is_open()) {
        return system_error("cannot open loop-control or " + file, errno);
    }
    // Others may take the free device between the two calls.
    for (int tries = 0; tries < 100; ++tries) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) {
            return system_error("no free loop device", errno);
        }
        LoopDevice device;
        device.path_ = "/dev/loop" + std::to_string(number);
        device.fd_ = Fd{::open(device.path_.c_str(), O_RDWR | O_CLOEXEC)};
        loop_config config{};
        config.fd = static_cast<__u32>(backing.get());
        config.block_size = sector_size;
        config.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR;
        if (device.fd_.is_open() && ::ioctl(device.fd_.get(), LOOP_CONFIGURE, &config) == 0) {
            return device;
        }
        if (errno != EBUSY) {
            return system_error("cannot set up " + device.path_, errno);
        }
    }
    return Error{ErrorCode::kSystem, EBUSY, "no loop device stayed free"};
}

Result<FreezableDisk> FreezableDisk::make(const TemporaryDirectory& directory,
                                          std::span<const std::byte> contents) {
    const std::string image = directory.file("ext4");
    {
        const Fd fd{::open(image.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
        CSS_CHECK(fd.is_open());
        CSS_CHECK(::ftruncate(fd.get(), kFileSystemSize) == 0);
    }
    if (run({"mkfs.ext4", "-q", "-F", image}) != 0) {
        return Error{ErrorCode::kSystem, 0, "mkfs.ext4 failed"};
    }
    FreezableDisk made;
    Result<LoopDevice> below = LoopDevice::attach(image, 512);
    if (!below) {
        return below.error();
    }
    made.below_.emplace(std::move(below).value());
    made.mount_point_ = directory.file("mounted");
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mkdir(made.mount_point_.c_str(), 0700) != 0 ||
        ::mount(made.below_->path().c_str(), made.mount_point_.c_str(), "ext4", 0, nullptr) != 0) {
        return system_error("cannot mount an ext4", errno);
    }
    made.root_ = Fd{::open(made.mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    CSS_CHECK(made.root_.is_open());
    const std::string lun = made.mount_point_ + "/lun";
    write_file(lun, 0, contents);
    Result<LoopDevice> disk = LoopDevice::attach(lun, 512);
    if (!disk) {
        return disk.error();
    }
    made.disk_.emplace(std::move(disk).value());

    std::array<int, 2> ends{};
    CSS_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const Fd read_end{ends[0]};
    made.alive_ = Fd{ends[1]};
    made.keeper_ = start_keeper(read_end.get(), made.root_.get(), made.alive_);
    return made;
}

FreezableDisk::FreezableDisk(FreezableDisk&& other) noexcept
    : mount_point_(std::exchange(other.mount_point_, std::string{})),
      below_(std::exchange(other.below_, std::nullopt)),
      disk_(std::exchange(other.disk_, std::nullopt)),
      root_(std::move(other.root_)),
      alive_(std::move(other.alive_)),
      keeper_(std::exchange(other.keeper_, -1)),
      frozen_(std::exchange(other.frozen_, false)) {}

FreezableDisk::~FreezableDisk() {
    if (frozen_) {
        thaw();
    }
    alive_.reset();
    if (keeper_ > 0) {
        (void)::waitpid(keeper_, nullptr, 0);
    }
    disk_.reset();
    root_.reset();
    if (!mount_point_.empty()) {
        (void)::umount2(mount_point_.c_str(), MNT_DETACH);
    }
}

void FreezableDisk::freeze() {
    CSS_CHECK(::ioctl(root_.get(), FIFREEZE, 0) == 0);
    frozen_ = true;
}

void FreezableDisk::thaw() {
    CSS_CHECK(::ioctl(root_.get(), FITHAW, 0) == 0);
    frozen_ = false;
}

}  // namespace css::test
