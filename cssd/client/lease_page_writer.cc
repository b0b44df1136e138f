#include "cssd/client/lease_page_writer.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::client {
namespace {

Error system_error(const char* step) {
    const int number = errno;
    return Error{ErrorCode::kSystem,
                 number,
                 std::string{"lease page: "} + step + ": " + std::strerror(number)};
}

}  // namespace

/// Memory and not a file: a page of a file may be held by its write-back, and the daemon's lease
/// must never wait for a disk.
Result<LeasePageWriter> LeasePageWriter::create() {
    const int fd = memfd_create("css-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return system_error("memfd_create");
    }
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    void* memory = MAP_FAILED;
    int reader_fd = -1;
    if (ftruncate(fd, kLeasePageSize) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        (reader_fd = open(self.c_str(), O_RDONLY | O_CLOEXEC)) < 0 ||
        (memory = mmap(nullptr, kLeasePageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
            MAP_FAILED) {
        const Error error = system_error("making it");
        close(fd);
        if (reader_fd >= 0) {
            close(reader_fd);
        }
        return error;
    }
    auto* page = static_cast<LeasePage*>(memory);  // Zero: says no.
    page->version.store(kLeasePageVersion, std::memory_order_relaxed);
    page->magic.store(kLeasePageMagic, std::memory_order_release);
    return LeasePageWriter{fd, reader_fd, page};
}

LeasePageWriter::LeasePageWriter(int fd, int reader_fd, LeasePage* page)
    : fd_(fd), reader_fd_(reader_fd), page_(page) {}

LeasePageWriter::LeasePageWriter(LeasePageWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      reader_fd_(std::exchange(other.reader_fd_, -1)),
      page_(std::exchange(other.page_, nullptr)),
      acted_(other.acted_) {}

LeasePageWriter::~LeasePageWriter() {
    if (page_ == nullptr) {
        return;
    }
    revoke();
    munmap(page_, kLeasePageSize);
    close(reader_fd_);
    close(fd_);
}

void LeasePageWriter::publish(const LeaseState& state) {
    CSS_CHECK(page_ != nullptr);
    CSS_CHECK(!acted_.node.is_some() || acted_ == state.instance);
    const std::uint32_t sequence = page_->sequence.load(std::memory_order_relaxed);
    CSS_CHECK(sequence % 2 == 0);
    const std::uint32_t may_act = state.may_act ? 1 : 0;
    const bool changed = page_->may_act.load(std::memory_order_relaxed) != may_act;
    // Each word is stored with release: a reader that sees any of them sees the odd sequence too.
    page_->sequence.store(sequence + 1, std::memory_order_relaxed);
    page_->may_act.store(may_act, std::memory_order_release);
    page_->end.store(state.end.time_since_epoch().count(), std::memory_order_release);
    page_->token.store(state.token.value(), std::memory_order_release);
    page_->instance.store(
        (std::uint64_t{state.instance.node.value()} << 32) | state.instance.unique.value(),
        std::memory_order_release);
    page_->sequence.store(sequence + 2, std::memory_order_release);
    if (state.may_act) {
        acted_ = state.instance;
    }
    if (changed) {
        wake_lease_waiters(*page_);
    }
}

void LeasePageWriter::revoke() {
    CSS_CHECK(page_ != nullptr);
    revoke_lease_page(*page_);
}

}  // namespace css::client
