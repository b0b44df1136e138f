#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "cssd/core/io.h"

namespace css::runtime {

/// The administrator's requests under way, by the id that the core knows them by. Any thread. No
/// completion is called under the lock.
class Requests {
public:
    using Completion = std::function<void(core::RequestResult)>;

    /// What ends a request: a notice of the core, or the end of the instance.
    enum class Ends : std::uint8_t { kByNotice, kByLeaving };

    std::uint64_t add(Ends ends, Completion done);
    /// It was not taken: forgotten, its completion never called.
    void withdraw(std::uint64_t id);
    /// The core's kRequestDone. One that ends by leaving is left alone when all is well so far.
    void finish(std::uint64_t id, core::RequestResult result);
    /// The instance is over in another way than by leaving: nobody answers any more.
    void abandon();
    /// The instance has left: those that asked for it are done, the others were stopped.
    void leave();

private:
    struct Pending {
        Ends ends = Ends::kByNotice;
        Completion done;
    };
    std::vector<Pending> take_all();

    std::mutex mutex_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, Pending> pending_;
};

}  // namespace css::runtime
