#include "voting/io/region.h"

#include <cerrno>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "voting/io/system_error.h"

namespace css::voting {

Result<Region> Region::map(std::size_t size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t rounded = (size + page - 1) / page * page;
    void* memory = ::mmap(nullptr,
                          rounded,
                          PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                          -1,
                          0);
    if (memory == MAP_FAILED) {
        return system_error("cannot map buffers of " + std::to_string(rounded) + " bytes", errno);
    }
    // Without the lock the pages are still pinned once they are registered with the ring.
    (void)::mlock(memory, rounded);
    (void)::madvise(memory, rounded, MADV_DONTFORK);
    return Region{{static_cast<std::byte*>(memory), rounded}};
}

Region::Region(Region&& other) noexcept
    : bytes_(std::exchange(other.bytes_, std::span<std::byte>{})) {}

Region::~Region() {
    if (!bytes_.empty()) {
        CSS_CHECK(::munmap(bytes_.data(), bytes_.size()) == 0);
    }
}

}  // namespace css::voting
