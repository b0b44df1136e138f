#include "tools/votefile/dump.h"

#include <algorithm>
#include <cstdio>

#include "cssd/config/duration.h"
#include "tools/votefile/names.h"
#include "tools/votefile/options.h"
#include "voting/format/codec.h"

namespace css::votefile {

using voting::inspect;
using voting::is_used;
namespace {

using voting::to_hex;

/// Lines with a name in front; the next lines of the same name leave it out.
void line(const char* name, const std::string& text) {
    std::printf("  %-12s %s\n", name, text.c_str());
}

std::string text_of(const Parameters& p) {
    return "misscount " + config::format_duration(p.misscount) + ", disktimeout " +
           config::format_duration(p.disktimeout) + ", reboottime " +
           config::format_duration(p.reboottime);
}

void show_record(const Record& record) {
    line("",
         "record " + std::to_string(record.incarnation.value()) + ": members " +
             votefile::text_of(record.members) + ", files " + votefile::text_of(record.files) +
             (record.files_next.empty() ? ""
                                        : ", next files " + votefile::text_of(record.files_next)));
    std::string uniques;
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        if (record.unique[n] != Unique{}) {
            uniques +=
                " " + std::to_string(n.value()) + ":" + std::to_string(record.unique[n].value());
        }
    }
    if (!uniques.empty()) {
        line("", "  unique" + uniques);
        line("",
             std::string{"  proposed by node "} +
                 (record.proposer.is_some() ? std::to_string(record.proposer.value()) : "?") +
                 ", cause " + name_of(record.cause));
    }
    line("", "  " + text_of(record.parameters));
}

void show_heartbeat(const voting::Heartbeat& h) {
    line("heartbeat",
         std::string{name_of(h.state)} + (h.standby ? ", standby" : "") + ", unique " +
             std::to_string(h.unique.value()) + " (" + local_time(start_ns(h.unique)) +
             "), sequence " + std::to_string(h.sequence.value()) + ", written " +
             local_time(h.wall_clock_ns));
    line("",
         "host " + hex_of(h.host.value()) + ", boot " + hex_of(h.boot.value()) + ", weight " +
             std::to_string(h.weight) + ", reads slots 1.." + std::to_string(h.slots_read));
    line("", "promises " + text_of(h.promise));
    line(
        "",
        "connected " + votefile::text_of(h.connected) + "; in doubt " + votefile::text_of(h.doubt));
    line("", h.complete ? "knows as complete" : "knows, not yet complete");
    show_record(h.record);
}

void show_ballot(const voting::Ballot& b) {
    line("ballot",
         "decides " + std::to_string(b.instance.value()) + ", mbal " + std::to_string(b.mbal) +
             " (round " + std::to_string(b.mbal / kNodesMax) + "), bal " + std::to_string(b.bal));
    if (b.bal != 0) {
        show_record(b.record);
    }
}

void show_kill(const KillBlock& k) {
    line("kill block",
         "victim " + std::to_string(k.victim.value()) + " (" + local_time(start_ns(k.victim)) +
             "), dropped by record " + std::to_string(k.incarnation.value()) +
             ", written by node " + std::to_string(k.evictor.value()) + ", reason " +
             name_of(k.reason) + (k.confirmed ? ", confirmed stopped" : ", not confirmed"));
}

void show_unreadable(const char* name, SectorVerdict verdict) {
    line(name, std::string{"UNREADABLE: "} + voting::name_of(verdict));
}

void show_slot(std::size_t index, const SlotView& slot) {
    std::printf(" node %zu\n", index + 1);
    if (slot.heartbeat_verdict != SectorVerdict::kValid) {
        show_unreadable("heartbeat", slot.heartbeat_verdict);
    } else if (slot.heartbeat.written()) {
        show_heartbeat(slot.heartbeat);
    }
    if (slot.ballot_verdict != SectorVerdict::kValid) {
        show_unreadable("ballot", slot.ballot_verdict);
    } else if (slot.ballot.instance != Incarnation{}) {
        show_ballot(slot.ballot);
    }
    if (slot.kill_verdict != SectorVerdict::kValid) {
        show_unreadable("kill block", slot.kill_verdict);
    } else if (slot.kill.victim != Unique{}) {
        show_kill(slot.kill);
    }
}

void show_header(const voting::Header& h) {
    line("cluster", h.cluster_name + ", GUID " + to_hex(h.cluster.bytes));
    line("voting file", "FUID " + to_hex(h.file.bytes));
    line("layout",
         "sectors of " + std::to_string(h.sector_size) + " bytes, nodes up to " +
             std::to_string(h.slots_max));
    line("generation", std::to_string(h.generation));
    for (std::size_t i = 0; i < h.table.size(); ++i) {
        const voting::TableEntry& entry = h.table[i];
        if (entry.uid != FileUid{}) {
            const bool in_force = h.files.contains(FileIndex::from_index(i));
            line("",
                 "file " + std::to_string(i) + ": " + to_hex(entry.uid.bytes) +
                     (in_force       ? ", in force"
                      : entry.in_use ? ", not in force"
                                     : ", no longer used") +
                     (entry.uid == h.file ? ", this one" : ""));
        }
    }
    line("first record", text_of(h.parameters));
}

int show(const Shown& shown) {
    if (!shown.found) {
        std::fprintf(stderr, "votefile: %s\n", shown.found.error().message.c_str());
        return 1;
    }
    const Inspected& found = *shown.found;
    if (found.header_verdict != SectorVerdict::kValid) {
        std::fprintf(stderr,
                     "votefile: %s: no valid voting file header (%s)\n",
                     shown.path.c_str(),
                     voting::name_of(found.header_verdict));
        return 1;
    }
    std::printf("%s\n", shown.path.c_str());
    show_header(found.header);
    bool any = false;
    for (std::size_t i = 0; i < found.slots.size(); ++i) {
        if (is_used(found.slots[i])) {
            show_slot(i, found.slots[i]);
            any = true;
        }
    }
    if (!any) {
        std::printf(" no slot is used\n");
    }
    if (found.slots.size() < kNodesMax) {
        std::fprintf(stderr,
                     "votefile: %s is cut short: only %zu of 64 slots are there\n",
                     shown.path.c_str(),
                     found.slots.size());
        return 1;
    }
    return 0;
}

}  // namespace

int run_dump(const DumpOptions& options) {
    std::vector<Shown> files;
    for (const std::string& path : options.paths) {
        files.push_back({path, inspect(path)});
    }
    int exit_code = 0;
    switch (options.output) {
        case Output::kJson:
            std::printf("%s\n", json_of(files).c_str());
            for (const Shown& shown : files) {
                const bool good = shown.found &&
                                  shown.found->header_verdict == SectorVerdict::kValid &&
                                  shown.found->slots.size() == kNodesMax;
                exit_code = good ? exit_code : 1;
            }
            break;
        case Output::kText:
            for (const Shown& shown : files) {
                exit_code = std::max(exit_code, show(shown));
            }
            break;
    }
    return exit_code;
}

}  // namespace css::votefile
