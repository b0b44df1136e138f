#include "cssd/runtime/nodes_lines.h"

namespace css::runtime {
namespace {

/// FNV-1a, 32 bits.
std::uint32_t hash_of(const std::string& text) {
    std::uint32_t hash = 2'166'136'261U;
    for (const char c : text) {
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 16'777'619U;
    }
    return hash;
}

}  // namespace

std::string line_text(const netbeat::NodesFile& file, unsigned line) {
    if (line == 0 || line > file.entries.size()) {
        return "nothing";
    }
    const netbeat::NodeEntry& entry = file.entries[line - 1];
    if (entry.deleted) {
        return "a deleted node";
    }
    std::string text = entry.name;
    for (const netbeat::Address& address : entry.addresses) {
        text += " " + netbeat::to_string(address);
    }
    return text;
}

std::vector<std::uint32_t> line_hashes(const netbeat::NodesFile& file) {
    std::vector<std::uint32_t> hashes;
    for (unsigned line = 1; line <= file.entries.size(); ++line) {
        hashes.push_back(hash_of(line_text(file, line)));
    }
    return hashes;
}

}  // namespace css::runtime
