#pragma once

#include <algorithm>
#include <array>

#include "cssd/base/record.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"

namespace css::voting {

/// More than half of the files *configured*, reachable or not (PROTOCOL 2).
constexpr bool is_majority(FileSet of, FileSet these) {
    return (of & these).count() * 2 > of.count();
}

/// What counts as a majority under a record: of the files in force and, while the set changes, of
/// the new set as well.
class Quorum {
public:
    constexpr Quorum() = default;
    constexpr Quorum(FileSet files, FileSet files_next) : files_(files), next_(files_next) {}
    constexpr explicit Quorum(const Record& r) : Quorum(r.files, r.files_next) {}

    [[nodiscard]] constexpr bool reached_by(FileSet these) const {
        return is_majority(files_, these) && (next_.empty() || is_majority(next_, these));
    }
    [[nodiscard]] constexpr FileSet all() const { return files_ | next_; }
    /// Files needed of the larger set; for people.
    [[nodiscard]] constexpr unsigned needed() const {
        return std::max(files_.count(), next_.count()) / 2 + 1;
    }

    /// The latest time such that a majority of files has a value at or after it.
    template <class Value>
    [[nodiscard]] Instant latest_reached(Value&& value_of) const {
        const Instant a = latest_reached_in(files_, value_of);
        return next_.empty() ? a : std::min(a, latest_reached_in(next_, value_of));
    }

    /// The same, where each set as a whole has a value at or after its floor.
    template <class Value>
    [[nodiscard]] Instant latest_reached(Value&& value_of,
                                         Instant files_floor,
                                         Instant next_floor) const {
        const Instant a = std::max(latest_reached_in(files_, value_of), files_floor);
        return next_.empty()
                   ? a
                   : std::min(a, std::max(latest_reached_in(next_, value_of), next_floor));
    }

    friend constexpr bool operator==(const Quorum&, const Quorum&) = default;

private:
    template <class Value>
    static Instant latest_reached_in(FileSet set, Value&& value_of) {
        if (set.empty()) {
            return kNever;
        }
        std::array<Instant, kFilesMax> latest;  // First; never more than a few.
        std::size_t count = 0;
        for (const FileIndex f : set) {
            const Instant value = value_of(f);
            std::size_t at = count++;
            for (; at > 0 && latest[at - 1] < value; --at) {
                latest[at] = latest[at - 1];
            }
            latest[at] = value;
        }
        return latest[count / 2];
    }

    FileSet files_;
    FileSet next_;
};

}  // namespace css::voting
