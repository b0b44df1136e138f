#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <sys/types.h>

#include "kill_block/guardian/cgroup.h"
#include "kill_block/guardian/descendants.h"

namespace css::guardian {

inline constexpr std::size_t kClientsMax = 12288;

/// What a client is; a descriptor names each for ever, whatever becomes of numbers and paths.
enum class ClientKind : std::uint8_t {
    kProcess,    ///< pidfd; killed with all processes below it.
    kCgroupV2,   ///< Directory; killed with all that is in it or below it.
    kCgroupV1,   ///< The same, of the freezer.
    kDescendant  ///< pidfd of a process found below a client while killing. Only in here.
};

/// The clients to be killed at fencing. Fixed memory. Owns the descriptors.
class Registry {
public:
    Registry() = default;
    ~Registry() { clear(); }
    /// Where to hear that a process has ended: event data is the descriptor. Once, before the first
    /// add.
    void watch_with(int epoll) { epoll_ = epoll; }
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    Registry(Registry&&) = delete;
    Registry& operator=(Registry&&) = delete;

    enum class Added : std::uint8_t { kYes, kFull, kTaken, kNotPermitted, kNotWatched };
    /// Takes the descriptor only on kYes. kTaken: the number is in use. A process that has ended
    /// already is fine; it will be seen gone.
    Added add(std::uint64_t client, int descriptor, ClientKind kind = ClientKind::kProcess);
    /// False: not known.
    bool remove(std::uint64_t client);
    /// Removes the one with this pidfd.
    void remove_pidfd(int pidfd);
    void clear();

    /// Never taken for something below a client; 0: nobody.
    void spare(pid_t daemon, pid_t partner) { descendants_.exclude({daemon, partner}); }
    /// Halts every client and what is below it. The first time it looks for the descendants.
    void stop_all();
    /// Kills every client and what is below it; may be repeated.
    void kill_all();
    /// Forgets cgroups that are empty: nothing tells when they become so.
    void look_at_cgroups();
    /// The next stop or kill looks for descendants again.
    void begin_again() { stopped_ = false; }

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool has_cgroups() const { return cgroups_ > 0; }

private:
    struct Entry {
        std::uint64_t client = 0;
        int descriptor = -1;
        pid_t pid = 0;
        ClientKind kind = ClientKind::kProcess;
    };
    static constexpr std::size_t kEntriesMax = kClientsMax + kDescendantsMax;
    void put(const Entry& entry);
    void remove_at(std::size_t index);
    void find_descendants();
    bool watch(int pidfd) const;

    std::array<Entry, kEntriesMax> entries_{};  ///< The first size_ are in use.
    std::size_t size_ = 0;
    std::size_t cgroups_ = 0;
    bool stopped_ = false;
    int epoll_ = -1;
    Descendants descendants_;
};

}  // namespace css::guardian
