#include "kill_block/guardian/acts.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kill_block/guardian/process.h"

namespace css::guardian {
namespace {

/// Cgroups do not tell when they become empty, and what forks while it is killed is killed again.
constexpr Duration kKillAgain = std::chrono::milliseconds{5};

/// Takes the descriptor. Null for memory that could shrink under us: touching it would kill.
void* map_sealed(int fd, std::size_t size) {
    if (fd < 0) {
        return nullptr;
    }
    const int seals = fcntl(fd, F_GET_SEALS);
    void* memory = MAP_FAILED;
    if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0 &&
        lseek(fd, 0, SEEK_END) >= static_cast<off_t>(size)) {
        memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    return memory == MAP_FAILED ? nullptr : memory;
}

template <std::size_t N>
bool is_given(const Text<N>& text) {
    return text.front() != '\0';
}

}  // namespace

Acts::Acts(const char* name) : name_(name) {
    notebook_.open(name_, &orders_);
}

Acts::~Acts() {
    if (lease_ != nullptr) {
        munmap(lease_, client::kLeasePageSize);
    }
    if (page_ != nullptr) {
        munmap(page_, sizeof *page_);
    }
}

void Acts::open(int epoll, const char* last_gasp_path) {
    registry_.watch_with(epoll);
    gasp_.open(last_gasp_path);
}

Policy Acts::take_orders(int descriptor) {
    if (page_ != nullptr) {
        munmap(page_, sizeof *page_);
    }
    page_ = static_cast<OrdersPage*>(map_sealed(descriptor, sizeof *page_));
    const auto watchdog = orders_.watchdog;
    orders_ = FixedOrders{};
    if (page_ != nullptr && page_->magic.load(std::memory_order_acquire) == kOrdersMagic &&
        page_->version.load(std::memory_order_acquire) == kOrdersVersion) {
        orders_ = page_->fixed;
    }
    if (orders_.watchdog != watchdog) {
        watchdog_.disarm();  // Of a former daemon, of which nothing is left.
    }
    reset_.open(orders_.reset_file.data());
    return Policy{.action = orders_.action, .drain_hook = is_given(orders_.drain_command)};
}

void Acts::take_page(int descriptor) {
    if (lease_ != nullptr) {
        munmap(lease_, client::kLeasePageSize);
    }
    lease_ = static_cast<client::LeasePage*>(map_sealed(descriptor, client::kLeasePageSize));
}

void Acts::arm_watchdog(Duration reboottime) {
    if (!is_given(orders_.watchdog) || std::strcmp(name_, "cssdagent") != 0) {
        return;
    }
    const std::chrono::seconds timeout = watchdog_timeout(reboottime);
    // One that could not be opened may be there later; one that refused was asked enough.
    if (watchdog_.timeout() != timeout || watchdog_.state() == WatchdogState::kNotOpened) {
        watchdog_.arm(orders_.watchdog.data(), timeout);
    }
}

Situation Acts::situation() const {
    return Situation{.clients = registry_.size(),
                     .command = command_.state(),
                     .drain = drain_.state(),
                     .gasp_written = gasp_given_ && gasp_.is_idle()};
}

Instant Acts::carry_out(Keeper& keeper, Instant now, int daemon_pidfd) {
    if (!keeper.ending()) {
        command_.forget();
        drain_.forget();
        registry_.begin_again();
        gasp_given_ = false;
        killed_at_ = kNever;
    } else {
        registry_.look_at_cgroups();
    }
    const Duties duties = keeper.duties(now, situation());
    if (duties.revoke_page && lease_ != nullptr) {
        client::revoke_lease_page(*lease_);
    }
    Instant wake_at = duties.wake_at;
    if (page_ != nullptr) {
        wake_at = std::min(wake_at, farewell_.say(duties.say, keeper.instance(), *page_, now));
    }
    stop_and_kill(duties, now);
    if (duties.run_command) {
        command_.run(name_, orders_, keeper.instance());
    }
    if (duties.run_drain) {
        drain_.run(name_, orders_, keeper.instance());
    }
    write_gasp(keeper, now);
    if (duties.reset) {
        reset(keeper);
        wake_at = now;
    }
    if (duties.kill_daemon && daemon_pidfd >= 0) {
        static_cast<void>(send_signal(daemon_pidfd, SIGKILL));
    }
    feed(keeper, duties, now);
    if (duties.warn.has_value()) {
        warn(*duties.warn);
    }
    if (keeper.ending() && registry_.has_cgroups()) {
        wake_at = std::min(wake_at, now + kKillAgain);
    }
    if (watchdog_.is_armed() && duties.feed_watchdog) {
        wake_at = std::min(wake_at, fed_at_ + kFeedPeriod);
    }
    return wake_at;
}

void Acts::stop_and_kill(const Duties& duties, Instant now) {
    if (duties.stop_clients) {
        registry_.stop_all();
    }
    if (duties.kill_clients && registry_.size() > 0 && now >= killed_at_ + kKillAgain) {
        registry_.kill_all();
        killed_at_ = now;
    }
}

/// A feed that was late, because this process or its host stood still before it, may not stand: the
/// lease is looked at again, and what it asks for is done now.
void Acts::feed(Keeper& keeper, const Duties& duties, Instant now) {
    if (!watchdog_.is_armed() || !duties.feed_watchdog || now < fed_at_ + kFeedPeriod) {
        return;
    }
    fed_at_ = now;
    watchdog_.feed();
    const Duties after = keeper.duties(boottime(), situation());
    if (!after.feed_watchdog) {
        stop_and_kill(after, boottime());
    }
}

void Acts::write_gasp(Keeper& keeper, Instant now) {
    if (const auto gasp = keeper.take_last_gasp(now, situation())) {
        gasp_.write(name_, *gasp);
        gasp_given_ = true;
    }
}

void Acts::reset(Keeper& keeper) {
    reset_.act();
    keeper.note_reset_failed();
    notebook_.write(
        "CRS-1662: This host could not be reset; its clients are killed, and nothing "
        "vouches for what else they left behind",
        "LHB the reset had no effect");
}

void Acts::warn(const Silence& silence) {
    std::array<char, 1536> alert{};
    std::array<char, 256> trace{};
    const long long left = std::chrono::ceil<std::chrono::milliseconds>(silence.remaining).count();
    const char* what = orders_.action == Action::kReboot    ? "a reboot"
                       : orders_.action == Action::kCommand ? "the fence command"
                                                            : "the end of its clients";
    static_cast<void>(std::snprintf(alert.data(),
                                    alert.size(),
                                    "CRS-1661: The CSS daemon is not responding. If this persists, "
                                    "%s will occur in %lld milliseconds; details at (:CLSN00111:) "
                                    "in %s.",
                                    what,
                                    left,
                                    orders_.trace_file.data()));
    static_cast<void>(std::snprintf(trace.data(),
                                    trace.size(),
                                    "LHB (:CLSN00111:) no word from cssd for %u%% of its lease; it "
                                    "ends in %lld ms",
                                    silence.percent,
                                    left));
    notebook_.write(alert.data(), trace.data());
}

void Acts::note_child(pid_t child, int status) {
    command_.note_ended(child, status);
    drain_.note_ended(child, status);
    gasp_.note_ended(child);
    notebook_.note_ended(child);
}

}  // namespace css::guardian
