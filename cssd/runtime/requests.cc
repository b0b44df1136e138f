#include "cssd/runtime/requests.h"

#include <utility>

namespace css::runtime {

std::uint64_t Requests::add(Ends ends, Completion done) {
    const std::lock_guard lock{mutex_};
    pending_.emplace(++last_id_, Pending{ends, std::move(done)});
    return last_id_;
}

void Requests::withdraw(std::uint64_t id) {
    const std::lock_guard lock{mutex_};
    pending_.erase(id);
}

void Requests::finish(std::uint64_t id, core::RequestResult result) {
    Completion done;
    {
        const std::lock_guard lock{mutex_};
        const auto found = pending_.find(id);
        const bool goes_on = found != pending_.end() && found->second.ends == Ends::kByLeaving &&
                             result == core::RequestResult::kDone;
        if (found == pending_.end() || goes_on) {
            return;
        }
        done = std::move(found->second.done);
        pending_.erase(found);
    }
    done(result);
}

std::vector<Requests::Pending> Requests::take_all() {
    const std::lock_guard lock{mutex_};
    std::vector<Pending> all;
    for (auto& [id, pending] : pending_) {
        all.push_back(std::move(pending));
    }
    pending_.clear();
    return all;
}

void Requests::abandon() {
    for (const Pending& pending : take_all()) {
        pending.done(core::RequestResult::kStopped);
    }
}

void Requests::leave() {
    for (const Pending& pending : take_all()) {
        switch (pending.ends) {
            case Ends::kByLeaving: pending.done(core::RequestResult::kDone); break;
            case Ends::kByNotice: pending.done(core::RequestResult::kStopped); break;
        }
    }
}

}  // namespace css::runtime
