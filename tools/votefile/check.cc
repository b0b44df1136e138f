#include <algorithm>
#include <cstdio>
#include <span>

#include "tools/votefile/options.h"
#include "voting/format/codec.h"
#include "voting/offline/inspect.h"

namespace css::votefile {

using voting::inspect;
using voting::Inspected;
namespace {

/// Counts and prints what is wrong with one file.
class Findings {
public:
    void add(const std::string& text) {
        std::fprintf(stderr, "votefile: %s\n", text.c_str());
        ++count_;
    }
    [[nodiscard]] std::size_t count() const { return count_; }

private:
    std::size_t count_ = 0;
};

void check_slots(const Inspected& found, Findings& findings) {
    for (std::size_t i = 0; i < found.slots.size(); ++i) {
        const std::string where = found.path + ": node " + std::to_string(i + 1) + ": ";
        const SlotView& slot = found.slots[i];
        const auto check = [&](const char* sector, SectorVerdict verdict) {
            if (verdict != SectorVerdict::kValid) {
                findings.add(where + sector + ": " + voting::name_of(verdict));
            }
        };
        check("heartbeat", slot.heartbeat_verdict);
        check("ballot", slot.ballot_verdict);
        check("kill block", slot.kill_verdict);
    }
    if (found.slots.size() < kNodesMax) {
        findings.add(found.path + " is cut short: only " + std::to_string(found.slots.size()) +
                     " of 64 slots are there");
    }
}

/// What of the file is readable; every sector that is not is a finding.
voting::HeaderAt check_file(const std::string& path, Findings& findings) {
    const Result<Inspected> found = inspect(path);
    if (!found) {
        findings.add(found.error().message);
        return {path, SectorVerdict::kNotRead, {}};
    }
    if (found->header_verdict != SectorVerdict::kValid) {
        findings.add(path + ": no valid voting file header (" +
                     voting::name_of(found->header_verdict) + ")");
    } else {
        const auto region = std::span{found->bytes}.first<voting::kHeaderSize>();
        if (!voting::are_path_hints_readable(region)) {
            findings.add(path + ": the path hints behind the header are damaged");
        }
        check_slots(*found, findings);
    }
    return found->header_at();
}

void check_together(std::span<const voting::HeaderAt> files, Findings& findings) {
    const auto first = std::find_if(files.begin(), files.end(), [](const voting::HeaderAt& at) {
        return at.verdict == SectorVerdict::kValid;
    });
    if (first == files.end()) {
        return;
    }
    const Result<voting::HeaderSet> set = voting::match_headers(first->header.cluster_name, files);
    if (!set) {
        findings.add(set.error().message);
        return;
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        // An unreadable one was reported by its own check.
        if (!set->files[i].index && files[i].verdict == SectorVerdict::kValid) {
            findings.add(set->files[i].reason);
        }
    }
    if (findings.count() == 0) {
        std::printf(
            "%zu of %u voting files of cluster %s: all checksums are right and they belong "
            "together.\n",
            files.size(),
            set->newest.files.count(),
            set->newest.cluster_name.c_str());
    }
}

}  // namespace

int run_check(const CheckOptions& options) {
    Findings findings;
    std::vector<voting::HeaderAt> headers;
    for (const std::string& path : options.paths) {
        const std::size_t before = findings.count();
        headers.push_back(check_file(path, findings));
        if (findings.count() == before) {
            std::printf("%s: good, FUID %s\n",
                        path.c_str(),
                        voting::to_hex(headers.back().header.file.bytes).c_str());
        }
    }
    check_together(headers, findings);
    return findings.count() == 0 ? 0 : 1;
}

}  // namespace css::votefile
