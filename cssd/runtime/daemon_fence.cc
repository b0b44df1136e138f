#include <ctime>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/daemon.h"
#include "kill_block/guardian/keeper.h"

// What surrounds a fence of this node: guardians and watchdog before it, the next instance after
// it.

namespace css::runtime {

using config::LogLevel;

/// Both guardians have taken this daemon: the former one and its clients are gone.
void Daemon::take_guardians() {
    guardians_ready_ = true;
    register_->forget_formers();
    tell_last_gasps();
    const std::string warnings = guardians_->warnings();
    for (std::size_t begin = 0; begin < warnings.size();) {
        const std::size_t end = warnings.find('\n', begin);
        log_->alert("CRS-1657: Warning: " + warnings.substr(begin, end - begin));
        begin = end + 1;
    }
    if (config_.fence_action == config::FenceAction::kExit) {
        return;
    }
    backend_->set_can_reset(guardians_->can_reset());
    if (!guardians_->can_reset()) {
        log_->alert("UNPROTECTED: the guardians cannot reset this host; details in " +
                    log_->trace_file());
        log_->trace(LogLevel::kError,
                    "clssnmGuardian",
                    "LHB a reset needs root, a build for real hosts (CSS_REAL_RESET), and a node "
                    "that is not in a network namespace of its own");
    }
    if (config_.watchdog_device.empty()) {
        log_->alert("UNPROTECTED: no watchdog; give watchdog_device in " + config_.file);
    }
}

/// Their disk may be slower than the guardians' word that all is over.
void Daemon::tell_last_gasps() {
    constexpr Duration kOnceMore = std::chrono::seconds{1};
    last_gasps_->tell(backend_->names().node(network_->self()));
    gasps_at_ = boot_now() + kOnceMore;
}

void Daemon::tell_watchdog(const std::string& unwatched) {
    backend_->set_watchdog(unwatched);
    log_->alert(unwatched.empty() ? "The watchdog " + config_.watchdog_device + " is armed"
                                  : "UNPROTECTED: no watchdog: " + unwatched);
}

/// PROTOCOL 2: reboottime is at least 10/9 of watchdog time-out, guardian period and reset.
Daemon::End Daemon::check_reboottime(Duration reboottime) {
    if (config_.watchdog_device.empty() || guardian::watchdog_timeout(reboottime) > Duration{}) {
        return End::kNotYet;
    }
    const Duration least =
        (std::chrono::seconds{1} + guardian::kFeedPeriod + guardian::kResetTime) * 10 / 9;
    const auto millis = [](Duration d) {
        return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(d).count()) + "ms";
    };
    const std::string why = "watchdog_device: reboottime " + millis(reboottime) +
                            " is too short for a watchdog: give at least " + millis(least) +
                            " (crsctl set css reboottime, on a node that runs)";
    log_->alert("CRS-1656: The CSS daemon is terminating due to a fatal error: " + why);
    return leave_and_fail(why);
}

/// The parts end after the instance: its threads use them.
Daemon::End Daemon::leave_and_fail(const std::string& why) {
    if (!instance_runs_) {
        return fail(why);
    }
    leaves_because_ = why;
    backend_->submit(core::Leave{}, [](core::RequestResult) {});
    return End::kNotYet;
}

/// The clients' page was revoked for good; those of the next instance see another.
Status Daemon::renew_page() {
    auto page = client::LeasePageWriter::create();
    if (!page) {
        return page.error();
    }
    wiring_.page = nullptr;  // Nobody tells a lease while there is no core.
    page_.emplace(std::move(*page));
    wiring_.page = &*page_;
    guardians_->renew_page(page_->fd());
    clients_->renew_page(page_->reader_fd());
    return Done{};
}

Daemon::End Daemon::rejoin() {
    requests_.abandon();
    if (const Status renewed = renew_page(); !renewed) {
        return fail(renewed.error().message);
    }
    tell_last_gasps();
    switch (rejoin_.begin(boot_now())) {
        case Rejoin::Step::kTry:
            log_->alert("This node was fenced, its clients are gone; it joins again: try 1 of " +
                        std::to_string(config_.autorejoin_tries));
            return End::kNotYet;
        case Rejoin::Step::kGiveUp:
        case Rejoin::Step::kNothing:
        case Rejoin::Step::kDone: break;
    }
    return give_up();
}

Daemon::End Daemon::look_at_rejoin() {
    if (rejoin_.due() == kForever) {
        return End::kNotYet;
    }
    const auto status = core_.status();
    switch (rejoin_.look(boot_now(), status && status->may_act)) {
        case Rejoin::Step::kNothing: break;
        case Rejoin::Step::kDone:
            log_->trace(LogLevel::kInfo, "clssscMain", "RCFG active again after the fence");
            break;
        case Rejoin::Step::kTry:
            log_->alert("This node is not active again yet: try " +
                        std::to_string(rejoin_.number()) + " of " +
                        std::to_string(config_.autorejoin_tries));
            break;
        case Rejoin::Step::kGiveUp: return give_up();
    }
    return End::kNotYet;
}

Daemon::End Daemon::give_up() {
    const std::string after = "after " + std::to_string(config_.autorejoin_tries) +
                              " tries to join again: exit_action " +
                              std::string{name_of(config_.exit_action)};
    log_->alert("CRS-1657: Warning: " + after);
    switch (config_.exit_action) {
        case config::ExitAction::kStayOut:
            backend_->stay_out(after + "; `crsctl enable css` lets it join");
            return End::kNotYet;
        case config::ExitAction::kExit: return leave_and_fail(after);
        case config::ExitAction::kReboot: break;
    }
    resets_ = true;
    guardians_->reset_host();
    constexpr timespec kLongerThanItTakes{5, 0};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &kLongerThanItTakes, nullptr);
    return leave_and_fail(after + ", which had no effect");
}

}  // namespace css::runtime
