#pragma once

#include <cstdint>
#include <mutex>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "cssd/base/result.h"
#include "cssd/core/notice.h"
#include "cssd/runtime/event.h"

namespace css::runtime {

/// What other threads hand to the control thread. Outlives the server as long as a completion
/// still refers to it. put() never waits for the control thread.
class ControlMailbox {
public:
    struct Completed {
        std::uint64_t client = 0;
        core::RequestResult result = core::RequestResult::kDone;
        nlohmann::json answer{};  ///< Of an AnswerWhenDone.
    };
    struct Stop {};
    /// More events came than the thread took: whoever watches has missed some.
    struct EventsMissed {};
    using Item = std::variant<Completed, Event, EventsMissed, Stop>;

    ControlMailbox();
    ~ControlMailbox();
    ControlMailbox(const ControlMailbox&) = delete;
    ControlMailbox& operator=(const ControlMailbox&) = delete;
    ControlMailbox(ControlMailbox&&) = delete;
    ControlMailbox& operator=(ControlMailbox&&) = delete;

    /// False when the system has no descriptor left.
    [[nodiscard]] bool usable() const { return wake_fd_ >= 0; }
    /// Readable while there is something to take.
    [[nodiscard]] int wake_fd() const { return wake_fd_; }

    void put(Completed completed);
    void put(const Event& event);
    void put(Stop stop);
    std::vector<Item> take();

private:
    void add(Item item);

    int wake_fd_;
    std::mutex mutex_;
    std::vector<Item> items_;       // Guarded by mutex_.
    std::size_t events_count_ = 0;  // Guarded by mutex_.
};

}  // namespace css::runtime
