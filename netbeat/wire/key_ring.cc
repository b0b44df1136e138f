#include "netbeat/wire/key_ring.h"

#include <mutex>
#include <utility>

#include "cssd/base/check.h"

namespace css::netbeat {

KeyRing::KeyRing(const Key& key) : keys_{.sealing = key} {}

KeyRing::Keys KeyRing::keys() const {
    const std::lock_guard lock{mutex_};
    return keys_;
}

std::uint64_t KeyRing::moves() const {
    const std::lock_guard lock{mutex_};
    return moves_;
}

Status KeyRing::hold(const Key& next) {
    const std::lock_guard lock{mutex_};
    if (next == keys_.sealing) {
        return Done{};
    }
    if (keys_.former) {
        return Error{ErrorCode::kConflict,
                     0,
                     "the key was replaced a moment ago and the former one counts still; try again "
                     "in half a minute"};
    }
    keys_.next = next;
    return Done{};
}

void KeyRing::release() {
    const std::lock_guard lock{mutex_};
    keys_.next.reset();
}

bool KeyRing::move_to(const Key& next) {
    const std::lock_guard lock{mutex_};
    if (next == keys_.sealing) {
        return true;
    }
    if (!keys_.next || !(next == *keys_.next)) {
        return false;
    }
    CSS_CHECK(!keys_.former);
    keys_.former = std::exchange(keys_.sealing, next);
    keys_.next.reset();
    ++moves_;
    return true;
}

void KeyRing::drop_former() {
    const std::lock_guard lock{mutex_};
    keys_.former.reset();
}

}  // namespace css::netbeat
