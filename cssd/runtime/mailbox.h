#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace css::runtime {

/// A bounded queue between threads. Putting never waits: when it is full the new item is turned
/// away and counted.
template <class Item>
class Mailbox {
public:
    explicit Mailbox(std::size_t items_max) : items_max_(items_max) {}

    /// Any thread. False: full or closed.
    bool put(Item item) {
        {
            const std::lock_guard lock{mutex_};
            if (closed_ || items_.size() >= items_max_) {
                ++refused_;
                return false;
            }
            items_.push_back(std::move(item));
        }
        arrived_.notify_one();
        return true;
    }
    /// Waits for an item. Nothing: closed, and everything put before has been taken.
    std::optional<Item> take() {
        std::unique_lock lock{mutex_};
        arrived_.wait(lock, [this] { return closed_ || !items_.empty(); });
        if (items_.empty()) {
            return std::nullopt;
        }
        std::optional<Item> item{std::move(items_.front())};
        items_.pop_front();
        return item;
    }
    void close() {
        {
            const std::lock_guard lock{mutex_};
            closed_ = true;
        }
        arrived_.notify_all();
    }
    [[nodiscard]] std::uint64_t refused() const {
        const std::lock_guard lock{mutex_};
        return refused_;
    }

private:
    const std::size_t items_max_;
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Item> items_;
    bool closed_ = false;
    std::uint64_t refused_ = 0;
};

}  // namespace css::runtime
