#pragma once

#include <cstdint>
#include <optional>

#include "cssd/base/priority_mutex.h"
#include "cssd/base/result.h"
#include "netbeat/wire/key_file.h"

namespace css::netbeat {

/// The keys of the interconnect that count now. One seals, and opens. While the cluster goes from
/// one key to the next (`crsctl replace css key`) a second one opens as well: all nodes hold the
/// next one, then somebody moves to it and the others follow, then the former one is dropped. There
/// are never three. Any thread may use it, several at once: the lock is held for no more than a
/// copy.
class KeyRing {
public:
    struct Keys {
        Key sealing;
        std::optional<Key> next{};    ///< Held.
        std::optional<Key> former{};  ///< Not dropped yet; never beside a next one.
    };
    explicit KeyRing(const Key& key);

    [[nodiscard]] Keys keys() const;
    /// How often it has moved: while this is the same, the same key seals.
    [[nodiscard]] std::uint64_t moves() const;

    /// Opens with this key, too, instead of one that was held before. Nothing to do when it seals
    /// already. kConflict: there is a former key still.
    Status hold(const Key& next);
    /// The key that is held opens no more.
    void release();
    /// Seals with this key, which was held. True as well when it seals already; false: it is
    /// neither.
    bool move_to(const Key& next);
    void drop_former();

private:
    mutable PriorityMutex mutex_;  ///< Guards the next two.
    Keys keys_;
    std::uint64_t moves_ = 0;
};

}  // namespace css::netbeat
