#pragma once

#include <sys/types.h>

#include "cssd/client/lease_page.h"
#include "kill_block/guardian/farewell.h"
#include "kill_block/guardian/keeper.h"
#include "kill_block/guardian/last_gasp.h"
#include "kill_block/guardian/notebook.h"
#include "kill_block/guardian/program.h"
#include "kill_block/guardian/registry.h"
#include "kill_block/guardian/watchdog.h"
#include "kill_block/reset/reset.h"

namespace css::guardian {

/// Carries out what the Keeper says must be: everything that touches the world, in the order in
/// which it matters. No allocation; nothing here waits but the watchdog's driver.
class Acts {
public:
    explicit Acts(const char* name);
    ~Acts();
    Acts(const Acts&) = delete;
    Acts& operator=(const Acts&) = delete;
    Acts(Acts&&) = delete;
    Acts& operator=(Acts&&) = delete;

    void open(int epoll, const char* last_gasp_path);
    /// A daemon is served: its orders (-1: none, the action is `exit`). Takes the descriptor.
    Policy take_orders(int descriptor);
    /// Maps the page through which its clients see the lease (-1: none). Takes the descriptor.
    void take_page(int descriptor);
    /// The instance held is armed now, with this reboottime: so is the watchdog.
    void arm_watchdog(Duration reboottime);

    [[nodiscard]] Situation situation() const;
    /// Returns when to come back at the latest.
    Instant carry_out(Keeper& keeper, Instant now, int daemon_pidfd);
    /// A child of this process has ended.
    void note_child(pid_t child, int status);
    /// Nothing is left that a reset would have to stop.
    void end() { watchdog_.disarm(); }

    [[nodiscard]] Registry& registry() { return registry_; }
    [[nodiscard]] const Registry& registry() const { return registry_; }
    [[nodiscard]] const Watchdog& watchdog() const { return watchdog_; }
    [[nodiscard]] bool can_reset() const { return reset_.is_able(); }
    void tell_partner_gone(const char* text) { notebook_.write(nullptr, text); }

private:
    void stop_and_kill(const Duties& duties, Instant now);
    void feed(Keeper& keeper, const Duties& duties, Instant now);
    void write_gasp(Keeper& keeper, Instant now);
    void reset(Keeper& keeper);
    void warn(const Silence& silence);

    const char* const name_;
    OrdersPage* page_ = nullptr;  ///< Of the daemon served last; stays when it dies.
    FixedOrders orders_;          ///< A copy: a daemon may not change its mind while it dies.
    client::LeasePage* lease_ = nullptr;
    Registry registry_;
    Program command_{Program::What::kCommand};
    Program drain_{Program::What::kDrain};
    Reset reset_;
    Watchdog watchdog_;
    FarewellSender farewell_;
    Notebook notebook_;
    LastGaspFile gasp_;
    bool gasp_given_ = false;  ///< The line of this fence was handed out.
    Instant killed_at_ = kNever;
    Instant fed_at_ = kNever;
};

}  // namespace css::guardian
