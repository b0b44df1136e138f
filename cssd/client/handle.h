#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <pthread.h>
#include <sys/mman.h>

#include "cssd/client/css.h"
#include "cssd/client/lease_page.h"
#include "cssd/client/message.h"

/// The inside of libcss: a handle, and how it talks to the daemon.
///
/// Lives in memory that fork() wipes (MADV_WIPEONFORK), so that in the child `alive` and
/// `registered` are zero without asking anybody: the child is not registered.
struct css_handle {
    std::uint32_t alive;
    std::atomic<std::uint32_t> registered;
    int socket;
    const css::client::LeasePage* page;
    pthread_mutex_t conversation;  ///< One request and its answer at a time.
    std::uint64_t last_question;   ///< Guarded by it.
    pthread_mutex_t subscription;  ///< Held by css_event_fd().
    std::atomic<int> events;       ///< Its descriptor plus one; zero: not asked for.
};

namespace css::client {

inline constexpr std::uint32_t kAlive = 0x43535331;
inline constexpr std::int64_t kPatience = 5'000'000'000;

inline bool is_alive(const css_t* handle) {
    return handle != nullptr && handle->alive == kAlive;
}

/// A span without the C++ library.
struct ConstBytes {
    const void* at = nullptr;
    std::size_t size = 0;
};

/// Pages of memory, zero at first, for what is too large for the stack of a small thread. Not from
/// malloc(), which is the program's.
class Pages {
public:
    explicit Pages(std::size_t size)
        : size_(size),
          at_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
    ~Pages() {
        if (at_ != MAP_FAILED) {
            munmap(at_, size_);
        }
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    Pages(Pages&&) = delete;
    Pages& operator=(Pages&&) = delete;
    /// Null: there was no memory.
    [[nodiscard]] unsigned char* at() const {
        return at_ == MAP_FAILED ? nullptr : static_cast<unsigned char*>(at_);
    }

private:
    std::size_t size_;
    void* at_;
};

/// 0 or a negative errno.
int send_message(int socket, Kind kind, ConstBytes body, int descriptor);

/// What came back.
struct Received {
    Message message;
    int descriptor = -1;  ///< Owned by the caller.
};
inline constexpr std::int64_t kNoDeadline = INT64_MAX;
/// Waits until `deadline` for the next message; its body goes to `body`, which has room for
/// `size_max` bytes. 0, -ETIMEDOUT, -ECONNRESET (closed), -EPROTO (not a message, or too large).
int receive_message(int socket,
                    std::int64_t deadline,
                    unsigned char* body,
                    std::size_t size_max,
                    Received* received);

/// What is asked; see QuestionBody.
struct Question {
    Kind kind = Kind::kMembership;
    const char* name = nullptr;  ///< May be null.
    std::uint64_t member = 0;
    ConstBytes data = {};
    int descriptor = -1;
};
/// Where the rest of the answer goes, after its number.
struct AnswerBuffer {
    unsigned char* at = nullptr;  ///< Room for `size_max` bytes.
    std::size_t size_max = 0;
    std::size_t size = 0;
};
/// Asks, and waits for the answer to exactly this; those to earlier questions that nobody waited
/// for are dropped. Its status, or -EINVAL (name or data too large), -ETIMEDOUT, -ECONNRESET.
int ask(css_t* handle, const Question& question, std::int64_t timeout_ns, AnswerBuffer* answer);

}  // namespace css::client
