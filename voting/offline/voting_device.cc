#include "voting/offline/voting_device.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "voting/format/layout.h"

namespace css::voting {
namespace {

/// Direct I/O wants buffers aligned to the sector.
constexpr std::size_t kAlignment = kSectorSizeLarge;
constexpr std::size_t kReadMax = Layout{kSectorSizeLarge}.file_size();
static_assert(kReadMax % kAlignment == 0);

struct FreeMemory {
    void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<std::byte[], FreeMemory>;

AlignedMemory aligned_memory(std::size_t size) {
    const std::size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
    AlignedMemory memory{static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded))};
    CSS_CHECK(memory != nullptr);
    return memory;
}

Error failed(const std::string& path, const std::string& what, int number) {
    return Error{ErrorCode::kSystem,
                 number,
                 path + ": " + what + ": " + std::generic_category().message(number)};
}

/// Opens with direct I/O, or without where the file system refuses that.
Fd open_direct(const std::string& path, int flags) {
    constexpr mode_t kOwnerOnly = 0600;
    Fd fd{::open(path.c_str(), flags | O_DIRECT | O_CLOEXEC | O_NOCTTY, kOwnerOnly)};
    if (!fd.is_open() && errno == EINVAL) {
        fd = Fd{::open(path.c_str(), (flags & ~O_EXCL) | O_CLOEXEC | O_NOCTTY, kOwnerOnly)};
    }
    return fd;
}

Error wrong_type(const std::string& path) {
    return Error{ErrorCode::kInvalid,
                 0,
                 path + " is neither a plain file nor a block device: give one of these"};
}

std::size_t direct_unit_of_plain_file([[maybe_unused]] int fd) {
#ifdef STATX_DIOALIGN
    struct statx info {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
        (info.stx_mask & STATX_DIOALIGN) != 0) {
        return std::max<std::size_t>(info.stx_dio_offset_align, kSectorSizeSmall);
    }
#endif
    return kSectorSizeSmall;
}

}  // namespace

Result<VotingDevice> VotingDevice::open(const std::string& path, Access access) {
    // Looked at first: to open a pipe would wait, and some devices act on being opened.
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return failed(path, "cannot be opened", errno);
    }
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
        return wrong_type(path);
    }
    int flags = O_RDONLY;
    if (access == Access::kWrite) {
        flags = O_RDWR | O_DSYNC | (S_ISBLK(info.st_mode) ? O_EXCL : 0);
    }
    VotingDevice device;
    device.path_ = path;
    device.fd_ = open_direct(path, flags);
    if (!device.fd_.is_open()) {
        return errno == EBUSY ? Error{ErrorCode::kConflict,
                                      EBUSY,
                                      path + " is in use: mounted, or held by another driver"}
                              : failed(path, "cannot be opened", errno);
    }
    if (const Status probed = device.probe(); !probed) {
        return probed.error();
    }
    return device;
}

Result<VotingDevice> VotingDevice::create(const std::string& path) {
    VotingDevice device;
    device.path_ = path;
    device.fd_ = open_direct(path, O_RDWR | O_DSYNC | O_CREAT | O_EXCL);
    if (!device.fd_.is_open()) {
        return failed(path, "cannot be created", errno);
    }
    if (const Status probed = device.probe(); !probed) {
        return probed.error();
    }
    return device;
}

Status VotingDevice::probe() {
    struct stat info {};
    if (::fstat(fd(), &info) != 0) {
        return failed(path_, "cannot be examined", errno);
    }
    if (S_ISREG(info.st_mode)) {
        kind_ = Kind::kPlainFile;
        size_ = static_cast<std::uint64_t>(info.st_size);
        sector_size_min_ = direct_unit_of_plain_file(fd());
        return Done{};
    }
    if (!S_ISBLK(info.st_mode)) {
        return wrong_type(path_);
    }
    int sector = 0;
    if (::ioctl(fd(), BLKGETSIZE64, &size_) != 0 || ::ioctl(fd(), BLKSSZGET, &sector) != 0) {
        return failed(path_, "its size cannot be learned", errno);
    }
    kind_ = Kind::kBlockDevice;
    sector_size_min_ = static_cast<std::size_t>(sector);
    return Done{};
}

bool VotingDevice::is(const std::string& other_path) const {
    struct stat own {};
    struct stat other {};
    if (::fstat(fd(), &own) != 0 || ::stat(other_path.c_str(), &other) != 0) {
        return false;
    }
    return S_ISBLK(own.st_mode) ? S_ISBLK(other.st_mode) && own.st_rdev == other.st_rdev
                                : own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

Result<std::vector<std::byte>> VotingDevice::read() const {
    const AlignedMemory memory = aligned_memory(kReadMax);
    std::vector<std::byte> bytes;
    while (bytes.size() < kReadMax) {
        const std::size_t wanted = kReadMax - bytes.size();
        const ssize_t got = ::pread(fd(), memory.get(), wanted, static_cast<off_t>(bytes.size()));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failed(path_, "cannot be read", errno);
        }
        bytes.insert(bytes.end(), memory.get(), memory.get() + got);
        // The end: what is left is less than a unit of direct I/O, or nothing.
        if (static_cast<std::size_t>(got) % kSectorSizeSmall != 0 || got == 0) {
            break;
        }
    }
    return bytes;
}

Status VotingDevice::write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    const AlignedMemory memory = aligned_memory(bytes.size());
    std::memcpy(memory.get(), bytes.data(), bytes.size());
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::pwrite(
            fd(), memory.get() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return failed(path_, "cannot be written", put == 0 ? EIO : errno);
        }
        done += static_cast<std::size_t>(put);
    }
    return Done{};
}

Status VotingDevice::grow(std::uint64_t size) {
    if (size_ >= size) {
        return Done{};
    }
    if (kind_ == Kind::kBlockDevice) {
        return Error{ErrorCode::kInvalid,
                     0,
                     path_ + " has " + std::to_string(size_) + " bytes: a voting file needs " +
                         std::to_string(size)};
    }
    if (::ftruncate(fd(), static_cast<off_t>(size)) != 0) {
        return failed(path_, "cannot be enlarged", errno);
    }
    size_ = size;
    return Done{};
}

}  // namespace css::voting
