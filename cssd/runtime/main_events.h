#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/unique_fd.h"
#include "cssd/core/io.h"

namespace css::runtime {

/// What the other threads have to say to the main thread, and signals. The main thread does what
/// happens once or seldom: begin an instance, end the daemon.
class MainEvents {
public:
    /// All that has happened since the last look.
    struct News {
        bool terminate = false;  ///< SIGTERM or SIGINT.
        bool guardians_ready = false;
        std::optional<std::string> guardian_lost;  ///< Why.
        std::optional<core::Exit> exit;            ///< The instance is over, everything told.
        bool leave = false;                        ///< Asked to while there was no core.
        bool files_changed = false;
        std::optional<Duration> reboottime;          ///< Of the first lease of an instance.
        std::vector<std::uint64_t> refused_clients;  ///< A guardian did not take them.
        std::optional<std::string> unwatched;  ///< The watchdog is not armed: why. Empty: it is.
    };

    /// Blocks the signals that it takes, in this thread and those it starts later; SIGPIPE, SIGHUP
    /// and SIGXFSZ are ignored. Before any other thread is made.
    static Result<std::unique_ptr<MainEvents>> create();

    /// Any thread; does not wait: `change` is applied to the news to be looked at next.
    void post(const std::function<void(News&)>& change);
    /// The main thread. Waits until there is news, or it is this time.
    [[nodiscard]] News wait(Instant until = kForever);

private:
    MainEvents(UniqueFd signals, UniqueFd bell)
        : signals_(std::move(signals)), bell_(std::move(bell)) {}

    UniqueFd signals_;
    UniqueFd bell_;
    std::mutex mutex_;
    News news_;
};

}  // namespace css::runtime
