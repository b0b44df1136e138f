#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "cssd/base/result.h"

namespace css::runtime {

/// One connection to a daemon's control socket, for programs: waits in each call. Not for threads.
class ControlClient {
public:
    /// An error (kSystem) means that no daemon serves this run_dir.
    static Result<ControlClient> connect(const std::string& run_dir);
    ~ControlClient();
    ControlClient(const ControlClient&) = delete;
    ControlClient& operator=(const ControlClient&) = delete;
    ControlClient(ControlClient&& other) noexcept;
    ControlClient& operator=(ControlClient&& other) noexcept;

    /// Sends one request. An error means that the daemon is gone.
    Status send(const nlohmann::json& request);
    /// The next document from the daemon; waits for ever without a time-out. An error: the
    /// daemon is gone, time is up (ETIMEDOUT), or it does not speak our language.
    Result<nlohmann::json> receive(std::optional<std::chrono::milliseconds> timeout = {});
    /// Waits until the daemon closes the connection; false when time is up first.
    bool wait_closed(std::chrono::milliseconds timeout);

private:
    explicit ControlClient(int socket) : socket_(socket) {}
    int socket_ = -1;
    std::string input_;
};

}  // namespace css::runtime
