#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "voting/io/fd.h"

namespace css::voting {

/// An open plain file or block device, for the offline tool: whole, plain, waiting I/O. Direct
/// where the file system knows it, so that a device shared with other hosts is read from the
/// device. Every error names the path.
class VotingDevice {
public:
    enum class Access { kRead, kWrite };
    enum class Kind { kPlainFile, kBlockDevice };

    /// A block device opened for writing is refused while it is mounted or otherwise held.
    static Result<VotingDevice> open(const std::string& path, Access access);
    /// Makes a plain file, readable by its owner only. The path must not exist.
    static Result<VotingDevice> create(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// Whether `other_path` is this very file or device, by whatever name.
    [[nodiscard]] bool is(const std::string& other_path) const;
    /// Smallest unit of direct I/O in bytes: 512 or 4096, or what the device says.
    [[nodiscard]] std::size_t sector_size_min() const { return sector_size_min_; }

    /// The first bytes of the file, up to the size of the largest voting file.
    [[nodiscard]] Result<std::vector<std::byte>> read() const;
    /// On stable storage when it returns success. `offset` and size are multiples of the sector.
    [[nodiscard]] Status write(std::uint64_t offset, std::span<const std::byte> bytes) const;
    /// Makes a plain file at least this large.
    [[nodiscard]] Status grow(std::uint64_t size);

private:
    [[nodiscard]] Status probe();

    std::string path_;
    Fd fd_;
    Kind kind_ = Kind::kPlainFile;
    std::uint64_t size_ = 0;
    std::size_t sector_size_min_ = 0;
};

}  // namespace css::voting
