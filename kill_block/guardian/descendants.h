#pragma once

#include <array>
#include <cstddef>

#include <sys/types.h>

namespace css::guardian {

inline constexpr std::size_t kDescendantsMax = 4096;

/// The processes below some others, by the parents that /proc shows. Fixed memory. It finds those
/// only whose ancestors still live; whoever wants more puts the program in a cgroup.
///
/// For the answer to be whole every process found has to be halted before the next look: a halted
/// one cannot fork, nor can it reap a child, whose number is then not given to another process.
class Descendants {
public:
    /// A process below which to look, and which is not to be found itself.
    void add_root(pid_t pid) { insert(pid); }
    /// Never found, nor anything below them: the daemon and the other guardian, which may have been
    /// started from below a client.
    void exclude(const std::array<pid_t, 2>& pids) { excluded_ = pids; }
    /// Looks through /proc once; `found` is called with a pidfd for each one not found before,
    /// halts it and takes the descriptor. False: none was new. `found` may be any callable (pid_t,
    /// int).
    template <class Found>
    bool look(Found&& found) {
        const int directory = open_proc();
        bool any = false;
        for (pid_t pid = next(directory); pid > 0; pid = next(directory)) {
            const int pidfd = is_new(pid) ? confirm(pid) : -1;
            if (pidfd >= 0) {
                found(pid, pidfd);
                any = true;
            }
        }
        close_proc(directory);
        return any;
    }
    void clear();

private:
    static int open_proc();
    static void close_proc(int directory);
    pid_t next(int directory);
    [[nodiscard]] bool is_new(pid_t pid) const;
    int confirm(pid_t pid);
    [[nodiscard]] bool contains(pid_t pid) const;
    bool insert(pid_t pid);
    [[nodiscard]] static pid_t parent_of(pid_t pid);

    static constexpr std::size_t kSlots = 65536;  ///< Sparse: roots and descendants, hashed.
    std::array<pid_t, kSlots> pids_{};            ///< 0: free.
    std::size_t count_ = 0;
    std::array<pid_t, 2> excluded_{};
    std::array<char, 4096> entries_{};
    std::size_t filled_ = 0;
    std::size_t at_ = 0;
};

}  // namespace css::guardian
