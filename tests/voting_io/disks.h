#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cssd/base/result.h"
#include "voting/io/fd.h"

/// Files, loop devices and a file system that can be made to hang, for tests on the real kernel.
/// All of it goes when the test's process does, also when it dies.
namespace css::test {

/// A new directory under the test's temporary directory; removed with its contents.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

/// Creates or overwrites; cached I/O and fsync.
void write_file(const std::string& path, std::uint64_t offset, std::span<const std::byte> bytes);
/// Past the page cache, with direct I/O.
std::vector<std::byte> read_file(const std::string& path, std::uint64_t offset, std::size_t size);

/// A loop device with direct I/O on a file; detached when this goes.
class LoopDevice {
public:
    static Result<LoopDevice> attach(const std::string& file, unsigned sector_size);
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    voting::Fd fd_;  ///< The device detaches itself when the last one is closed.
};

/// An ext4 of its own, visible to this process alone, that can be frozen: writes to it hang until
/// it is thawed. A loop device on a file in it stands for a hung disk.
class FreezableDisk {
public:
    /// The disk has room for `contents` and begins with it. Needs root; single-threaded caller.
    static Result<FreezableDisk> make(const TemporaryDirectory& directory,
                                      std::span<const std::byte> contents);
    FreezableDisk(FreezableDisk&& other) noexcept;
    FreezableDisk& operator=(FreezableDisk&&) = delete;
    FreezableDisk(const FreezableDisk&) = delete;
    FreezableDisk& operator=(const FreezableDisk&) = delete;
    /// Thaws first.
    ~FreezableDisk();

    [[nodiscard]] const std::string& path() const { return disk_->path(); }
    void freeze();
    void thaw();

private:
    FreezableDisk() = default;
    std::string mount_point_;
    std::optional<LoopDevice> below_;
    std::optional<LoopDevice> disk_;
    voting::Fd root_;   ///< For freezing.
    voting::Fd alive_;  ///< When its last copy is closed, the keeper thaws and ends.
    pid_t keeper_ = -1;
    bool frozen_ = false;
};

}  // namespace css::test
