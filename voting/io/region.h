#pragma once

#include <cstddef>
#include <span>

#include "cssd/base/result.h"

namespace css::voting {

/// Page-aligned, zeroed, resident memory for buffers of a ring; kept out of child processes.
///
/// A buffer belongs to the kernel from submission until its own completion, whatever happens to
/// the ring, the file or the thread meanwhile: memory freed earlier and used again would be written
/// to the voting file of the whole cluster. Hence leak().
class Region {
public:
    static Result<Region> map(std::size_t size);

    Region(Region&& other) noexcept;
    Region& operator=(Region&&) = delete;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    /// Unmaps; nothing in it may be in flight.
    ~Region();

    [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
    /// The memory stays for the life of the process.
    void leak() { bytes_ = {}; }

private:
    explicit Region(std::span<std::byte> bytes) : bytes_(bytes) {}
    std::span<std::byte> bytes_;
};

}  // namespace css::voting
