#include "kill_block/link/contact.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "kill_block/guardian/packet.h"
#include "kill_block/guardian/process.h"
#include "kill_block/link/spawn.h"

namespace css::guardian {
namespace {

constexpr Duration kStartPatience = std::chrono::seconds{2};
constexpr int kStartPatienceMillis = 2000;

Error system_error(const std::string& step) {
    const int number = errno;
    return Error{ErrorCode::kSystem, number, step + ": " + std::strerror(number)};
}

/// Not open: nobody listens there, errno says why.
UniqueFd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return UniqueFd{};
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd fd{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd.is_open() ||
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return UniqueFd{};
    }
    return fd;
}

/// Nothing: none came, errno says why.
std::optional<Message> await_answer(int socket) {
    pollfd answered{.fd = socket, .events = POLLIN, .revents = 0};
    if (poll(&answered, 1, kStartPatienceMillis) != 1) {
        errno = ETIMEDOUT;
        return std::nullopt;
    }
    Packet packet;
    if (receive_packet(socket, packet) != Io::kDone) {
        errno = ECONNRESET;
        return std::nullopt;
    }
    if (!packet.message.has_value()) {
        errno = EPROTO;
        return std::nullopt;
    }
    return packet.message;
}

/// Hands over the clients of a former daemon. A guardian that still serves that daemon refuses: it
/// knows them. False: errno says why.
bool hand_formers(int socket, const std::vector<FormerClient>& formers) {
    for (const FormerClient& former : formers) {
        const std::array<int, 1> descriptor{former.descriptor.get()};
        const Message request{.kind = Kind::kFormer, .flags = flags_of(former.form)};
        if (send_packet(socket, request, descriptor) != Io::kDone) {
            errno = ECONNRESET;
            return false;
        }
        const auto answer = await_answer(socket);
        if (!answer.has_value()) {
            return false;
        }
        if (answer->kind == Kind::kRefuse &&
            static_cast<Refusal>(answer->reason) == Refusal::kMalformed) {
            errno = EPROTO;
            return false;
        }
    }
    return true;
}

/// Says hello and waits for the first answer. Nothing: it went away, or is no guardian of this
/// version (errno EPROTO).
std::optional<Message> exchange_hello(int socket, const GuardianLinkOptions& options) {
    const UniqueFd self{open_pidfd(getpid())};
    const std::array<int, 3> descriptors{self.get(), options.orders_fd, options.page_fd};
    const Message hello{.kind = Kind::kHello, .time = options.last_words.count()};
    const std::size_t count = options.page_fd >= 0 ? 3 : options.orders_fd >= 0 ? 2 : 1;
    CSS_CHECK(options.orders_fd >= 0 ||
              options.page_fd < 0);  // Descriptors are told by their place.
    if (!self.is_open() ||
        send_packet(socket, hello, std::span{descriptors}.first(count)) != Io::kDone) {
        return std::nullopt;
    }
    const auto answer = await_answer(socket);
    if (answer.has_value() && answer->kind != Kind::kWaiting) {
        errno = EPROTO;
        return std::nullopt;
    }
    return answer;
}

}  // namespace

std::uint32_t flags_of(ClientForm form) {
    switch (form) {
        case ClientForm::kProcess: return 0;
        case ClientForm::kCgroup: return kFlagCgroup;
        case ClientForm::kFreezer: return kFlagCgroup | kFlagFreezer;
    }
    return 0;
}

Result<Contact> reach(Which which, const GuardianLinkOptions& options) {
    const std::string path = options.run_dir + "/" + name_of(which) + ".sock";
    const Instant limit = boottime() + kStartPatience;
    for (;;) {
        UniqueFd socket = connect_to(path);
        if (socket.is_open()) {
            if (hand_formers(socket.get(), options.formers)) {
                if (const auto answer = exchange_hello(socket.get(), options)) {
                    return Contact{std::move(socket), *answer};
                }
            }
            if (errno == EPROTO) {
                return Error{ErrorCode::kConflict,
                             EPROTO,
                             path + ": another version of the guardian serves there"};
            }
        } else if (errno != ENOENT && errno != ECONNREFUSED) {
            return system_error(path);
        }
        const Instant now = boottime();
        if (now >= limit) {
            return system_error(path);
        }
        if (socket.is_open()) {
            continue;
        }
        const auto directory = find_guardian_dir(options.guardian_dir);
        if (!directory) {
            return directory.error();
        }
        if (auto status = spawn_guardian(*directory, which, options, limit - now); !status) {
            return status.error();
        }
        constexpr timespec kPause{0, 5'000'000};  // Only matters while a former one shuts down.
        clock_nanosleep(CLOCK_MONOTONIC, 0, &kPause, nullptr);
    }
}

}  // namespace css::guardian
