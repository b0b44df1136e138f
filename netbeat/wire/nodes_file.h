#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "netbeat/wire/address.h"

namespace css::netbeat {

/// More interconnects than this are refused.
inline constexpr std::size_t kInterconnectsMax = 8;
inline constexpr std::size_t kNodeNameMax = 64;

/// One line of the nodes file.
struct NodeEntry {
    std::string name;  ///< Of a deleted node: the first word after `#`, for people only.
    bool deleted = false;
    std::vector<Address> addresses;  ///< [i] is on interconnect i. Empty for a deleted node.
    friend bool operator==(const NodeEntry&, const NodeEntry&) = default;
};

/// The nodes file (INTERFACE "Nodes file", SOURCES 2.1, 2.2). `entries[0]` is node 1; there are at
/// most 64, and at least one that is not deleted.
struct NodesFile {
    std::vector<NodeEntry> entries;

    /// Numbers in use, deleted ones not.
    [[nodiscard]] NodeSet configured() const;
    /// The highest number, deleted ones included.
    [[nodiscard]] unsigned slots_used() const { return static_cast<unsigned>(entries.size()); }
    [[nodiscard]] const NodeEntry& at(NodeNumber n) const;
    /// 'No node' when there is none of that name; deleted nodes are not found.
    [[nodiscard]] NodeNumber find(std::string_view name) const;
    /// Equal on two hosts exactly when their files mean the same: numbers, names, addresses and
    /// their order, deleted numbers. Comments, blanks and what follows a `#` do not count.
    [[nodiscard]] std::uint64_t fingerprint() const;
    friend bool operator==(const NodesFile&, const NodesFile&) = default;
};

/// Errors begin with `path:line:` and say what is wrong there and what would be right.
[[nodiscard]] Result<NodesFile> parse_nodes_file(std::string_view text, std::string_view path);
[[nodiscard]] Result<NodesFile> load_nodes_file(const std::string& path);

}  // namespace css::netbeat
