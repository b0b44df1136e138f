#include "cssd/runtime/control_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/runtime/control_socket.h"

namespace css::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAnswerSizeMax = 16U << 20;

Error failure(const std::string& what, int number) {
    return Error{.code = ErrorCode::kSystem,
                 .system_errno = number,
                 .message = what + ": " + std::strerror(number)};
}

Error gone() {
    return Error{.code = ErrorCode::kSystem,
                 .system_errno = ECONNRESET,
                 .message = "the daemon closed the connection"};
}

/// Waits until there is something to read; false when time is up.
bool wait_readable(int socket, std::optional<Clock::time_point> until) {
    for (;;) {
        int wait = -1;
        if (until) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now());
            wait = left.count() <= 0 ? 0 : static_cast<int>(std::min<long>(left.count(), 60'000));
        }
        pollfd ready{.fd = socket, .events = POLLIN, .revents = 0};
        const int count = ::poll(&ready, 1, wait);
        if (count > 0) {
            return true;
        }
        if (until && Clock::now() >= *until) {
            return false;
        }
    }
}

}  // namespace

Result<ControlClient> ControlClient::connect(const std::string& run_dir) {
    const auto address = control_address(run_dir);
    if (!address) {
        return address.error();
    }
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return failure("socket", errno);
    }
    ControlClient client{fd};
    if (::connect(fd, as_sockaddr(*address), sizeof(sockaddr_un)) != 0) {
        return failure(control_path(run_dir), errno);
    }
    return client;
}

ControlClient::~ControlClient() {
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

ControlClient::ControlClient(ControlClient&& other) noexcept
    : socket_{std::exchange(other.socket_, -1)}, input_{std::move(other.input_)} {}

ControlClient& ControlClient::operator=(ControlClient&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(input_, other.input_);
    return *this;
}

Status ControlClient::send(const nlohmann::json& request) {
    const std::string text =
        request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    std::string_view rest = text;
    while (!rest.empty()) {
        const ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return failure("send", errno);
        }
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    return Done{};
}

Result<nlohmann::json> ControlClient::receive(std::optional<std::chrono::milliseconds> timeout) {
    const auto until = timeout ? std::optional{Clock::now() + *timeout} : std::nullopt;
    std::size_t searched = 0;
    for (;;) {
        if (const auto end = input_.find('\n', searched); end != std::string::npos) {
            auto document = nlohmann::json::parse(input_.substr(0, end), nullptr, false);
            input_.erase(0, end + 1);
            if (!document.is_object()) {
                return failure("the answer is no JSON object", EPROTO);
            }
            return document;
        }
        searched = input_.size();
        if (input_.size() > kAnswerSizeMax) {
            return failure("the answer", EMSGSIZE);
        }
        if (!wait_readable(socket_, until)) {
            return failure("no answer", ETIMEDOUT);
        }
        std::array<char, 65536> part{};
        const ssize_t count = ::recv(socket_, part.data(), part.size(), 0);
        if (count == 0) {
            return gone();
        }
        if (count < 0 && errno != EINTR) {
            return failure("the daemon does not answer", errno);
        }
        input_.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
}

bool ControlClient::wait_closed(std::chrono::milliseconds timeout) {
    const auto until = Clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        const auto document = receive(std::max(left, std::chrono::milliseconds{0}));
        if (!document) {
            return document.error().system_errno != ETIMEDOUT;
        }
    }
}

}  // namespace css::runtime
