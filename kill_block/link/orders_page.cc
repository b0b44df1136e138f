#include "kill_block/link/orders_page.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::guardian {
namespace {

/// False: too long.
template <std::size_t N>
bool put(Text<N>& target, const std::string& text) {
    target.fill('\0');
    if (text.size() >= N) {
        return false;
    }
    std::copy(text.begin(), text.end(), target.begin());
    return true;
}

Result<FixedOrders> fixed_of(const OrdersText& text) {
    FixedOrders fixed;
    fixed.action = text.action;
    fixed.node = text.node.value();
    const auto too_long = [](const char* what, std::size_t limit) {
        return Error{ErrorCode::kInvalid,
                     0,
                     std::string{what} + " is too long: give at most " + std::to_string(limit - 1) +
                         " characters"};
    };
    if (!put(fixed.fence_command, text.fence_command)) {
        return too_long("fence_command", kCommandMax);
    }
    if (!put(fixed.drain_command, text.drain_command)) {
        return too_long("drain_command", kCommandMax);
    }
    const bool fits = put(fixed.node_name, text.node_name) && put(fixed.run_dir, text.run_dir) &&
                      put(fixed.alert_log, text.alert_log) &&
                      put(fixed.trace_file, text.trace_file) &&
                      put(fixed.watchdog, text.watchdog) && put(fixed.reset_file, text.reset_file);
    if (!fits) {
        return too_long("a path of run_dir, log_dir or watchdog_device", kOrdersPathMax);
    }
    return fixed;
}

}  // namespace

Result<OrdersWriter> OrdersWriter::create(const OrdersText& text) {
    const auto fixed = fixed_of(text);
    if (!fixed) {
        return fixed.error();
    }
    UniqueFd fd{memfd_create("css-orders", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    void* memory = MAP_FAILED;
    if (fd.is_open() && ftruncate(fd.get(), sizeof(OrdersPage)) == 0 &&
        fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        memory = mmap(nullptr, sizeof(OrdersPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    }
    if (memory == MAP_FAILED) {
        const int number = errno;
        return Error{ErrorCode::kSystem,
                     number,
                     std::string{"orders for the guardians: "} + std::strerror(number)};
    }
    auto* page = static_cast<OrdersPage*>(memory);  // Zero: no farewell.
    page->fixed = *fixed;
    page->version.store(kOrdersVersion, std::memory_order_relaxed);
    page->magic.store(kOrdersMagic, std::memory_order_release);
    return OrdersWriter{std::move(fd), page};
}

OrdersWriter::OrdersWriter(OrdersWriter&& other) noexcept
    : fd_(std::move(other.fd_)), page_(std::exchange(other.page_, nullptr)) {}

OrdersWriter::~OrdersWriter() {
    if (page_ != nullptr) {
        munmap(page_, sizeof *page_);
    }
}

void OrdersWriter::say(Instance instance,
                       const std::array<std::span<const std::byte>, kFarewells>& datagrams,
                       std::span<const FarewellTarget> targets) {
    CSS_CHECK(page_ != nullptr);
    CSS_CHECK(targets.size() <= kTargetsMax);
    const std::uint32_t generation = page_->generation.load(std::memory_order_relaxed) + 1;
    FarewellSet& set = page_->sets[generation % 2];
    set.node = instance.node.value();
    set.unique = instance.unique.value();
    for (std::size_t i = 0; i < kFarewells; ++i) {
        CSS_CHECK(datagrams[i].size() <= kFarewellSizeMax);
        set.sizes[i] = static_cast<std::uint32_t>(datagrams[i].size());
        std::copy(datagrams[i].begin(), datagrams[i].end(), set.datagrams[i].begin());
    }
    set.targets = static_cast<std::uint32_t>(targets.size());
    std::copy(targets.begin(), targets.end(), set.target.begin());
    page_->generation.store(generation, std::memory_order_release);
}

}  // namespace css::guardian
