#pragma once

#include <cstdint>
#include <string>

#include "cssd/base/result.h"
#include "voting/io/fd.h"

namespace css::voting {

struct Header;

/// What opening a path found. Nothing was read from it yet.
struct OpenedFile {
    enum class Kind : std::uint8_t { kRegular, kBlockDevice };
    Fd fd;  ///< O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC.
    Kind kind = Kind::kRegular;
    std::uint64_t size = 0;           ///< Bytes.
    std::uint32_t sector_size = 512;  ///< Smallest unit of direct I/O, in bytes.
};

/// Opens a voting file or block device for the disk ping and probes its sizes. Errors say in one
/// line what is wrong with which path. May hang for as long as the file does: call it only on the
/// file's own thread.
///
/// Not O_EXCL, although it would keep file systems off the device: several nodes may run on one
/// host and share a device (containers, tests), and the second one's open would be EBUSY. What
/// O_EXCL was to tell, that the former life's I/O has ended, the slot lock tells (slot_lock.h).
Result<OpenedFile> open_voting_file(const std::string& path);

/// Whether the opened file can hold what its header says: sector size and length.
Status check_opened(const OpenedFile& file, const Header& header, const std::string& path);

}  // namespace css::voting
