#include "cssd/runtime/render_parts.h"

#include "cssd/config/duration.h"

namespace css::runtime {

std::string Names::node(NodeNumber n) const {
    if (!n.is_some()) {
        return "nobody";
    }
    return nodes[n].empty() ? "#" + std::to_string(n.value()) : nodes[n];
}

std::string Names::file(FileIndex f) const {
    return files[f].empty() ? "#" + std::to_string(f.index() + 1) : files[f];
}

std::string Names::list(NodeSet nodes_set) const {
    std::string text;
    for (const NodeNumber n : nodes_set) {
        text += (text.empty() ? "" : " ") + node(n);
    }
    return text;
}

std::string millis_text(Duration duration) {
    return std::to_string(std::chrono::floor<std::chrono::milliseconds>(duration).count());
}

std::string numbered(NodeNumber n, const Names& names) {
    return names.node(n) + " (" + std::to_string(n.value()) + ")";
}

std::string incarnation_text(const core::Notice& n) {
    return "incarnation " + std::to_string(n.incarnation.value());
}

std::string parameters_text(const Parameters& p) {
    return "misscount " + config::format_duration(p.misscount) + ", disktimeout " +
           config::format_duration(p.disktimeout) + ", reboottime " +
           config::format_duration(p.reboottime);
}

std::string files_text(const core::Notice& n, const Names& names) {
    const auto list = [&names](FileSet files) {
        std::string text;
        for (const FileIndex f : files) {
            text += " " + names.file(f);
        }
        return text;
    };
    return "voting files" + list(n.files) +
           (n.files_next.empty() ? "" : " and, counting jointly," + list(n.files_next));
}

std::string by_text(const core::Notice& n, const Names& names) {
    return n.by.is_some() ? " by " + names.node(n.by) : "";
}

}  // namespace css::runtime
