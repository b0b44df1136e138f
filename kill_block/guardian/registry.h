#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace css::guardian {

inline constexpr std::size_t kClientsMax = 4096;

/// The processes to be killed at fencing, as pidfds: such a descriptor names one process for ever,
/// whatever becomes of its number. Fixed memory. Owns the descriptors.
class Registry {
public:
    Registry() = default;
    ~Registry() { clear(); }
    /// Where to hear that one has ended: event data is the descriptor. Once, before the first add.
    void watch_with(int epoll) { epoll_ = epoll; }
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    Registry(Registry&&) = delete;
    Registry& operator=(Registry&&) = delete;

    enum class Added : std::uint8_t { kYes, kFull, kTaken, kNotPermitted, kNotWatched };
    /// Takes the descriptor only on kYes. kTaken: the number is in use. A process that has ended
    /// already is fine; it will be seen gone.
    Added add(std::uint64_t client, int pidfd);
    /// False: not known.
    bool remove(std::uint64_t client);
    /// Removes the one with this descriptor.
    void remove_pidfd(int pidfd);
    void clear();
    /// SIGKILL to each. May be repeated.
    void kill_all();
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Entry {
        std::uint64_t client = 0;
        int pidfd = -1;
    };
    void remove_at(std::size_t index);
    std::array<Entry, kClientsMax> entries_{};  ///< The first size_ are in use.
    std::size_t size_ = 0;
    int epoll_ = -1;
};

}  // namespace css::guardian
