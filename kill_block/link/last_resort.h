#pragma once

#include <cstdint>
#include <string>

#include "cssd/base/time.h"
#include "cssd/base/unique_fd.h"
#include "kill_block/guardian/orders.h"
#include "kill_block/guardian/registry.h"
#include "kill_block/link/guardian_link.h"
#include "kill_block/reset/reset.h"

namespace css::guardian {

/// What a daemon can still do when both guardians are gone: the clients are registered here, too.
/// Not thread-safe: the link's lock guards it.
class LastResort {
public:
    LastResort(Action action, bool drain_hook) : action_(action), drain_hook_(drain_hook) {}

    /// False: epoll could not be made.
    bool open(const std::string& reset_file);
    /// Readable when a client has ended.
    [[nodiscard]] int epoll() const { return epoll_.get(); }
    void add(std::uint64_t client, UniqueFd descriptor, ClientForm form);
    void remove(std::uint64_t client) { registry_.remove(client); }
    void take_ended();

    /// Kills every client, or resets this host. `limit`: what is left then is reset.
    void begin(Instant limit);
    [[nodiscard]] bool is_begun() const { return begun_; }
    /// Until when to look again; kForever once all are gone.
    Instant look(Instant now);
    [[nodiscard]] bool gone() const { return begun_ && registry_.size() == 0 && !failed_; }
    void reset() const { reset_.act(); }

private:
    const Action action_;
    const bool drain_hook_;
    UniqueFd epoll_;
    Registry registry_;
    Reset reset_;
    bool begun_ = false;
    bool failed_ = false;  ///< Something is left that only a reset could stop.
    Instant limit_ = kForever;
};

}  // namespace css::guardian
