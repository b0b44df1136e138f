#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "netbeat/wire/nodes_file.h"

/// Nodes files line by line, as daemons compare them (agreement.h).
namespace css::runtime {

/// One hash a line, in order: equal when the lines mean the same.
[[nodiscard]] std::vector<std::uint32_t> line_hashes(const netbeat::NodesFile& file);
/// As the file would say it: `node3 10.0.0.3:5499`, `a deleted node`, `nothing`.
[[nodiscard]] std::string line_text(const netbeat::NodesFile& file, unsigned line);

}  // namespace css::runtime
