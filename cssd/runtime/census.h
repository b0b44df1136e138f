#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cssd/base/record.h"
#include "cssd/base/types.h"
#include "cssd/core/notice.h"
#include "cssd/runtime/render.h"

namespace css::runtime {

/// Who is in the cluster, who left it and why: what clients get from css_get_membership(). Fed with
/// the core's notices in their order, and with each complete record after the notices before it.
/// One thread at a time.
class Census {
public:
    void take(const core::Notice& notice);
    /// The answer for clients (MembershipBody) from now on.
    [[nodiscard]] std::vector<std::byte> complete(const Record& record,
                                                  NodeNumber self,
                                                  const Names& names);

private:
    struct Node {
        Unique unique;
        Incarnation since;  ///< First record seen that lists it; zero: not a member.
    };
    struct Departure {
        Unique unique;
        Incarnation incarnation;
        std::uint32_t reason = 0;
    };
    PerNode<Node> nodes_;
    PerNode<std::optional<Departure>> departures_;
};

}  // namespace css::runtime
