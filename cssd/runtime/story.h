#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "cssd/runtime/event.h"

namespace css::runtime {

/// The membership's story as this daemon has seen it, newest last. Any thread.
class Story {
public:
    static constexpr std::size_t kEventsMax = 1000;  ///< The oldest goes when one more comes.

    void add(const Event& event);
    [[nodiscard]] std::vector<Event> events() const;
    [[nodiscard]] std::optional<Event> last_eviction() const;

private:
    mutable std::mutex mutex_;
    std::deque<Event> events_;
    std::optional<Event> last_eviction_;
};

}  // namespace css::runtime
