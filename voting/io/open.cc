#include "voting/io/open.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "voting/format/header.h"
#include "voting/format/layout.h"
#include "voting/io/system_error.h"

namespace css::voting {
namespace {

Error open_error(const std::string& path, int number) {
    std::string what = "cannot open voting file " + path;
    switch (number) {
        case EINVAL: what += " (its file system may not support direct I/O, O_DIRECT)"; break;
        case EROFS:
        case EACCES:
        case EPERM: what += " for reading and writing"; break;
        default: break;
    }
    return system_error(what, number);
}

/// Unit of direct I/O of a plain file, where the kernel tells (6.1); else the smallest there is,
/// and a wrong guess shows as EINVAL of the first read.
std::uint32_t regular_sector_size([[maybe_unused]] int fd) {
#ifdef STATX_DIOALIGN
    struct statx info {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
        (info.stx_mask & STATX_DIOALIGN) != 0 && info.stx_dio_offset_align > kSectorSizeSmall) {
        return info.stx_dio_offset_align;
    }
#endif
    return kSectorSizeSmall;
}

Status probe_block_device(OpenedFile& file, const std::string& path) {
    file.kind = OpenedFile::Kind::kBlockDevice;
    int sector = 0;
    if (::ioctl(file.fd.get(), BLKGETSIZE64, &file.size) != 0 ||
        ::ioctl(file.fd.get(), BLKSSZGET, &sector) != 0) {
        return system_error("cannot learn the size of block device " + path, errno);
    }
    CSS_CHECK(sector > 0);
    file.sector_size = static_cast<std::uint32_t>(sector);
    return Done{};
}

}  // namespace

Result<OpenedFile> open_voting_file(const std::string& path) {
    OpenedFile file;
    file.fd = Fd{::open(path.c_str(), O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC | O_NOCTTY)};
    if (!file.fd.is_open()) {
        return open_error(path, errno);
    }
    struct stat info {};
    if (::fstat(file.fd.get(), &info) != 0) {
        return system_error("cannot examine voting file " + path, errno);
    }
    if (S_ISBLK(info.st_mode)) {
        if (Status probed = probe_block_device(file, path); !probed) {
            return probed.error();
        }
    } else if (S_ISREG(info.st_mode)) {
        file.size = static_cast<std::uint64_t>(info.st_size);
        file.sector_size = regular_sector_size(file.fd.get());
    } else {
        return Error{ErrorCode::kInvalid,
                     0,
                     "voting file " + path + " is neither a plain file nor a block device"};
    }
    if (file.size < kHeaderSize) {
        return Error{ErrorCode::kInvalid,
                     0,
                     "voting file " + path + " has " + std::to_string(file.size) +
                         " bytes, too few for a header; create it with votefile"};
    }
    return file;
}

Status check_opened(const OpenedFile& file, const Header& header, const std::string& path) {
    if (header.sector_size < file.sector_size) {
        return Error{ErrorCode::kInvalid,
                     0,
                     "voting file " + path + " was formatted for sectors of " +
                         std::to_string(header.sector_size) + " bytes, but is on a device with " +
                         std::to_string(file.sector_size) + "; format it with --sector-size " +
                         std::to_string(file.sector_size)};
    }
    const std::uint64_t needed = Layout{header.sector_size}.file_size();
    if (file.size < needed) {
        return Error{ErrorCode::kInvalid,
                     0,
                     "voting file " + path + " has " + std::to_string(file.size) +
                         " bytes, but its header needs " + std::to_string(needed)};
    }
    return Done{};
}

}  // namespace css::voting
