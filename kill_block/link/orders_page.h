#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/orders.h"

namespace css::guardian {

/// The fixed part of a daemon's orders, as it is configured.
struct OrdersText {
    Action action = Action::kExit;
    NodeNumber node;
    std::string node_name;
    std::string fence_command;
    std::string drain_command;
    std::string run_dir;
    std::string alert_log;
    std::string trace_file;
    std::string watchdog;
    std::string reset_file;
};

/// The daemon's end of its orders (guardian/orders.h). Owns the memory. say() from one thread at a
/// time; nothing blocks.
class OrdersWriter {
public:
    /// Errors: kInvalid (a text is too long), kSystem.
    static Result<OrdersWriter> create(const OrdersText& text);
    OrdersWriter(OrdersWriter&& other) noexcept;
    OrdersWriter& operator=(OrdersWriter&&) = delete;
    OrdersWriter(const OrdersWriter&) = delete;
    OrdersWriter& operator=(const OrdersWriter&) = delete;
    ~OrdersWriter();

    /// For the guardians.
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// What to say in the name of this instance from now on: a sealed datagram for each Farewell.
    void say(Instance instance,
             const std::array<std::span<const std::byte>, kFarewells>& datagrams,
             std::span<const FarewellTarget> targets);

private:
    OrdersWriter(UniqueFd fd, OrdersPage* page) : fd_(std::move(fd)), page_(page) {}
    UniqueFd fd_;
    OrdersPage* page_ = nullptr;
};

}  // namespace css::guardian
