#include "cssd/runtime/nodes_reload.h"

#include <memory>
#include <utility>

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

Status check_nodes(const NodesReload& parts, const netbeat::NodesFile& file) {
    for (const NodeNumber n : parts.members()) {
        if (!file.configured().contains(n)) {
            return Error{ErrorCode::kConflict,
                         0,
                         "Node " + parts.node_name(n) + " is a member of the cluster and not in " +
                             parts.path + " any more: stop it first"};
        }
    }
    return parts.check(file);
}

}  // namespace

Result<FileAgreement::Copy> read_nodes(const NodesReload& parts) {
    Result<netbeat::NodesFile> read = netbeat::load_nodes_file(parts.path);
    if (!read) {
        return read.error();
    }
    const auto file = std::make_shared<const netbeat::NodesFile>(std::move(*read));
    FileAgreement::Copy copy;
    copy.fingerprint = file->fingerprint();
    copy.lines = line_hashes(*file);
    copy.line_text = [file](unsigned line) { return line_text(*file, line); };
    copy.prepare = [&parts, file] { return check_nodes(parts, *file); };
    copy.take = [&parts, file] { return parts.take(*file); };
    return copy;
}

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
