#include <nlohmann/json.hpp>

#include "tools/votefile/dump.h"
#include "tools/votefile/names.h"
#include "voting/format/codec.h"

namespace css::votefile {

using voting::is_used;
namespace {

using Json = nlohmann::ordered_json;
using voting::to_hex;

Json json_of(NodeSet nodes) {
    Json list = Json::array();
    for (const NodeNumber n : nodes) {
        list.push_back(n.value());
    }
    return list;
}

Json json_of(FileSet files) {
    Json list = Json::array();
    for (const FileIndex f : files) {
        list.push_back(f.index());
    }
    return list;
}

Json json_of(const Parameters& p) {
    return {{"misscount_ms", p.misscount.count()},
            {"disktimeout_ms", p.disktimeout.count()},
            {"reboottime_ms", p.reboottime.count()}};
}

Json json_of(const Record& record) {
    Json unique = Json::object();
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        if (record.unique[n] != Unique{}) {
            unique[std::to_string(n.value())] = record.unique[n].value();
        }
    }
    return {{"incarnation", record.incarnation.value()},
            {"members", json_of(record.members)},
            {"unique", unique},
            {"parameters", json_of(record.parameters)},
            {"files", json_of(record.files)},
            {"files_next", json_of(record.files_next)},
            {"proposer", record.proposer.value()},
            {"cause", name_of(record.cause)}};
}

Json json_of(const voting::Heartbeat& h) {
    return {{"unique", h.unique.value()},
            {"started", utc_time(start_ns(h.unique))},
            {"state", name_of(h.state)},
            {"standby", h.standby},
            {"host", hex_of(h.host.value())},
            {"boot", hex_of(h.boot.value())},
            {"sequence", h.sequence.value()},
            {"written", utc_time(h.wall_clock_ns)},
            {"weight", h.weight},
            {"slots_read", h.slots_read},
            {"promise", json_of(h.promise)},
            {"connected", json_of(h.connected)},
            {"doubt", json_of(h.doubt)},
            {"complete", h.complete},
            {"record", json_of(h.record)}};
}

Json json_of(const voting::Ballot& b) {
    Json json{{"instance", b.instance.value()}, {"mbal", b.mbal}, {"bal", b.bal}};
    if (b.bal != 0) {
        json["record"] = json_of(b.record);
    }
    return json;
}

Json json_of(const KillBlock& k) {
    return {{"victim", k.victim.value()},
            {"incarnation", k.incarnation.value()},
            {"evictor", k.evictor.value()},
            {"reason", name_of(k.reason)},
            {"confirmed", k.confirmed}};
}

/// The verdict, and the value if there is one.
template <class Value>
Json sector_json(SectorVerdict verdict, const Value& value) {
    Json json{{"verdict", voting::name_of(verdict)}};
    if (verdict == SectorVerdict::kValid && value != Value{}) {
        json.update(json_of(value));
    } else if (verdict == SectorVerdict::kValid) {
        json["empty"] = true;
    }
    return json;
}

Json json_of(const voting::Header& h) {
    Json table = Json::array();
    for (std::size_t i = 0; i < h.table.size(); ++i) {
        if (h.table[i].uid != FileUid{}) {
            table.push_back({{"index", i},
                             {"fuid", to_hex(h.table[i].uid.bytes)},
                             {"in_use", h.table[i].in_use},
                             {"in_force", h.files.contains(FileIndex::from_index(i))}});
        }
    }
    return {{"cluster_name", h.cluster_name},
            {"cluster_guid", to_hex(h.cluster.bytes)},
            {"fuid", to_hex(h.file.bytes)},
            {"sector_size", h.sector_size},
            {"max_nodes", h.slots_max},
            {"generation", h.generation},
            {"table", table},
            {"parameters", json_of(h.parameters)}};
}

Json json_of(const Shown& shown) {
    Json json{{"path", shown.path}};
    if (!shown.found) {
        json["error"] = shown.found.error().message;
        return json;
    }
    json["verdict"] = voting::name_of(shown.found->header_verdict);
    if (shown.found->header_verdict != SectorVerdict::kValid) {
        return json;
    }
    json["header"] = json_of(shown.found->header);
    Json slots = Json::array();
    for (std::size_t i = 0; i < shown.found->slots.size(); ++i) {
        const SlotView& slot = shown.found->slots[i];
        if (is_used(slot)) {
            slots.push_back({{"node", i + 1},
                             {"heartbeat", sector_json(slot.heartbeat_verdict, slot.heartbeat)},
                             {"ballot", sector_json(slot.ballot_verdict, slot.ballot)},
                             {"kill_block", sector_json(slot.kill_verdict, slot.kill)}});
        }
    }
    json["slots"] = slots;
    if (shown.found->slots.size() < kNodesMax) {
        json["error"] = "cut short";
    }
    return json;
}

}  // namespace

std::string json_of(std::span<const Shown> files) {
    Json list = Json::array();
    for (const Shown& shown : files) {
        list.push_back(json_of(shown));
    }
    return Json{{"files", list}}.dump(2);
}

}  // namespace css::votefile
