#include "cssd/runtime/core_host.h"

#include <chrono>
#include <mutex>
#include <utility>

namespace css::runtime {

void CoreHost::begin(const core::ArbiterOptions& options) {
    const std::lock_guard lock{mutex_};
    CSS_CHECK(!runs());
    arbiter_ = std::make_unique<core::Arbiter>(time_.now(), options);
    ended_ = false;
    self_ = Instance{options.self, Unique{}};
    carry_out(arbiter_->take_output());
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        const FileIndex index = FileIndex::from_index(i);
        File& file = files_[index];
        file.stale = file.in_flight;
        if (file.open && !file.stale) {
            step_locked(time_.now(), file.opened);
        }
    }
}

bool CoreHost::step(const core::Input& input) {
    const std::lock_guard lock{mutex_};
    if (!runs()) {
        return false;
    }
    step_locked(time_.now(), input);
    return true;
}

void CoreHost::step_locked(Instant now, const core::Input& input) {
    if (!runs()) {
        return;
    }
    arbiter_->step(now, input);
    carry_out(arbiter_->take_output());
}

void CoreHost::carry_out(core::Output output) {
    for (const core::Notice& notice : output.notices) {
        if (notice.kind == core::NoticeKind::kInstanceStarted) {
            self_.unique = notice.unique;
        }
    }
    if (output.lease) {
        effects_.tell_lease(*output.lease);
    }
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    for (core::CycleOrder& order : output.cycles) {
        File& file = files_[order.file];
        CSS_CHECK(!file.in_flight);
        file.in_flight = true;
        if (order.own) {
            order.own->heartbeat.wall_clock_ns =
                std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count();
        }
        effects_.order_cycle(std::move(order));
    }
    if (output.heartbeat) {
        effects_.send(*output.heartbeat);
    }
    for (const Instance victim : output.fence) {
        effects_.fence(victim);
    }
    if (output.drain) {
        effects_.drain(self_);
    }
    if (output.fence_self) {
        effects_.fence_self(*output.fence_self, self_);
    }
    for (const core::Notice& notice : output.notices) {
        if (notice.kind == core::NoticeKind::kComplete) {
            tell_complete(notice.incarnation);
        }
        effects_.notice(notice);
    }
    if (output.exit) {
        ended_ = true;
        effects_.wake_at(kForever);
        effects_.end(*output.exit);
        return;
    }
    effects_.wake_at(output.wake_at);
}

/// With the record itself, which the notice does not hold. If the same step has already learned of
/// a later one, that one's completion is told in its turn.
void CoreHost::tell_complete(Incarnation incarnation) {
    const core::StatusView status = arbiter_->status(time_.now());
    if (status.newest.incarnation == incarnation) {
        effects_.complete(status.newest, self_);
    }
}

void CoreHost::file_opened(const core::FileOpened& opened) {
    const std::lock_guard lock{mutex_};
    File& file = files_[opened.file];
    CSS_CHECK(!file.open);
    file.open = true;
    file.opened = opened;
    if (!file.stale) {
        step_locked(time_.now(), opened);
    }
}

void CoreHost::file_closed(FileIndex index) {
    const std::lock_guard lock{mutex_};
    File& file = files_[index];
    CSS_CHECK(file.open);
    file.open = false;
    if (!file.stale) {
        step_locked(time_.now(), core::FileClosed{index});
    }
}

void CoreHost::cycle_finished(const core::CycleFinished& finished) {
    const std::lock_guard lock{mutex_};
    File& file = files_[finished.file];
    CSS_CHECK(file.in_flight);
    file.in_flight = false;
    if (std::exchange(file.stale, false)) {
        // The last request of a former instance has ended: now the file is the new one's.
        if (file.open) {
            step_locked(time_.now(), file.opened);
        }
        return;
    }
    step_locked(time_.now(), finished);
}

void CoreHost::lease_acknowledged(Instance instance, std::uint64_t serial) {
    const std::lock_guard lock{mutex_};
    if (instance == self_) {
        step_locked(time_.now(), core::LeaseAcknowledged{serial});
    }
}

std::optional<core::StatusView> CoreHost::status() {
    const std::lock_guard lock{mutex_};
    if (arbiter_ == nullptr) {
        return std::nullopt;
    }
    return arbiter_->status(time_.now());
}

}  // namespace css::runtime
