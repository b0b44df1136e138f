#include "cssd/runtime/story.h"

namespace css::runtime {

void Story::add(const Event& event) {
    const std::lock_guard lock{mutex_};
    if (events_.size() == kEventsMax) {
        events_.pop_front();
    }
    events_.push_back(event);
    if (event.type == "evict") {
        last_eviction_ = event;
    }
}

std::vector<Event> Story::events() const {
    const std::lock_guard lock{mutex_};
    return {events_.begin(), events_.end()};
}

std::optional<Event> Story::last_eviction() const {
    const std::lock_guard lock{mutex_};
    return last_eviction_;
}

}  // namespace css::runtime
