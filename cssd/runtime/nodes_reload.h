#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "cssd/runtime/agreement.h"
#include "netbeat/wire/nodes_file.h"

/// The nodes file as something that the members agree about (`crsctl reload css nodes`).
namespace css::runtime {

/// Called on the thread of the agreement.
struct NodesReload {
    std::string path;
    std::function<NodeSet()> members;
    std::function<Status(const netbeat::NodesFile&)> check;  ///< Whether take() would take it.
    std::function<Status(const netbeat::NodesFile&)> take;
    std::function<std::string(NodeNumber)> node_name;
};
/// Reads it now. `parts` must outlive the copy.
[[nodiscard]] Result<FileAgreement::Copy> read_nodes(const NodesReload& parts);

/// One hash a line, in order: equal when the lines mean the same.
[[nodiscard]] std::vector<std::uint32_t> line_hashes(const netbeat::NodesFile& file);
/// As the file would say it: `node3 10.0.0.3:5499`, `a deleted node`, `nothing`.
[[nodiscard]] std::string line_text(const netbeat::NodesFile& file, unsigned line);

}  // namespace css::runtime
