// The nodes file; a file that is read means the same when it is written down from its entries.

#include "netbeat/wire/nodes_file.h"

#include <string>

#include "cssd/base/check.h"
#include "cssd/runtime/nodes_reload.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {

void run(Input input) {
    const auto file = netbeat::parse_nodes_file(text_of(input), "nodes");
    if (!file) {
        CSS_CHECK(file.error().message.starts_with("nodes:"));
        return;
    }
    std::string text;
    for (unsigned line = 1; line <= file->slots_used(); ++line) {
        const bool deleted = file->entries[line - 1].deleted;
        text += (deleted ? std::string{"# deleted"} : runtime::line_text(*file, line)) + "\n";
    }
    const auto again = netbeat::parse_nodes_file(text, "again");
    CSS_CHECK(again);
    CSS_CHECK(again->fingerprint() == file->fingerprint());
    CSS_CHECK(runtime::line_hashes(*again) == runtime::line_hashes(*file));
    for (const NodeNumber n : file->configured()) {
        CSS_CHECK(file->find(file->at(n).name) == n);
    }
}

}  // namespace css::fuzz
