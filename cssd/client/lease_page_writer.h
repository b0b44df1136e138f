#pragma once

#include "cssd/base/result.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/client/lease_page.h"

namespace css::client {

/// What clients are told.
struct LeaseState {
    Instance instance;
    Instant end;
    Incarnation token;
    bool may_act = false;
};

/// The daemon's end of a lease page. Owns the memory. publish() and revoke() from one thread at a
/// time; they never block.
class LeasePageWriter {
public:
    /// A new page that says no. Errors: kSystem.
    static Result<LeasePageWriter> create();
    LeasePageWriter(LeasePageWriter&& other) noexcept;
    LeasePageWriter& operator=(LeasePageWriter&&) = delete;
    LeasePageWriter(const LeasePageWriter&) = delete;
    LeasePageWriter& operator=(const LeasePageWriter&) = delete;
    /// Revokes the page: clients may have it mapped for longer than this process lives.
    ~LeasePageWriter();

    /// Shows the state; wakes css_wait_active when may_act changed. Within one page an instance
    /// may be followed by another only if the first never showed may_act (CSS_CHECK): the clients
    /// of an instance that acted are dead, the next one makes a new page.
    void publish(const LeaseState& state);
    /// For good. Idempotent.
    void revoke();

    /// For guardians: read and write.
    [[nodiscard]] int fd() const { return fd_; }
    /// For clients: read only.
    [[nodiscard]] int reader_fd() const { return reader_fd_; }

private:
    LeasePageWriter(int fd, int reader_fd, LeasePage* page);
    int fd_ = -1;
    int reader_fd_ = -1;
    LeasePage* page_ = nullptr;
    Instance acted_{};  ///< The instance that showed may_act, if any.
};

}  // namespace css::client
