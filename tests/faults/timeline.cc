#include "tests/faults/timeline.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/simulator/page.h"

namespace css::faults {
namespace {

using e2e::Nanos;
using e2e::Told;
using Json = nlohmann::json;

/// What the page calls an event.
std::string kind_of(const Told& event) {
    static const std::map<std::string, std::string> kOthers{{"evict_confirmed", "confirmed"},
                                                            {"votedisk_offline", "file-offline"},
                                                            {"votedisk_online", "file-online"}};
    if (const auto other = kOthers.find(event.type); other != kOthers.end()) {
        return other->second;
    }
    std::string kind = event.type;
    std::ranges::replace(kind, '_', '-');
    return kind;
}

std::string details_of(const Told& event) {
    std::string text = "R=" + std::to_string(event.incarnation);
    text += event.node != 0 ? " node=" + std::to_string(event.node) : std::string{};
    text += event.members.empty() ? std::string{} : " members=" + e2e::to_text(event.members);
    return text + " " + event.file + " " + event.reason;
}

}  // namespace

void Timeline::add_fault(Nanos at, const Fault& fault) {
    const auto length = static_cast<double>(fault.length.count()) / 1000;
    lines_.push_back({.at = at,
                      .what = "FAULT",
                      .details = std::string{fault.kind} + " " + fault.words + ", in force for " +
                                 std::to_string(length) + " s"});
}

void Timeline::add_verdict(Nanos at, const std::string& words) {
    lines_.push_back({.at = at, .what = "VERDICT", .details = words});
}

void Timeline::add_broken(Nanos at, const std::string& words) {
    for (unsigned node = 1; node <= nodes_; ++node) {
        lines_.push_back({.at = at, .node = node, .what = "BROKEN", .details = words});
    }
}

void Timeline::collect(Lab& lab) {
    constexpr Nanos kPause = 200'000'000;  // A client that writes waits for less, also when busy.
    for (const unsigned node : lab.everybody()) {
        collect_told(lab.told_by(node), node);
        std::vector<Span>& spans = acts_[node];
        for (const e2e::Acted& acted : lab.acted(node)) {
            const bool goes_on = !spans.empty() && spans.back().token == acted.token &&
                                 acted.time - spans.back().to < kPause;
            if (goes_on) {
                spans.back().to = acted.time;
            } else {
                spans.push_back({.from = acted.time, .to = acted.time, .token = acted.token});
            }
        }
    }
}

void Timeline::collect_told(const std::vector<Told>& told, unsigned node) {
    for (const Told& event : told) {
        lines_.push_back({event.time, node, kind_of(event), details_of(event)});
        const std::string record = "R" + std::to_string(event.incarnation) + " " +
                                   e2e::to_text(event.members) + " " + event.reason;
        if (event.type == "decided" && event.incarnation > decided_) {
            decided_ = event.incarnation;
            lines_.push_back({event.time, node, "RECORD", record});
        } else if (event.type == "complete" && event.incarnation > complete_) {
            complete_ = event.incarnation;
            lines_.push_back({event.time, node, "TOLD", record});
        }
    }
}

std::string Timeline::page(const Run& run) const {
    Json data;
    data["title"] = run.title;
    data["about"] = "Real daemons, and faults that were made";
    data["options"] = std::to_string(run.options.nodes) + " nodes, " +
                      std::to_string(run.options.files) + " voting files";
    data["again"] = run.again;
    data["commit"] = CSS_VERSION;
    data["verdict"] = run.broken.empty() ? "passed" : "BROKEN";
    data["invariant"] = run.broken.empty() ? "" : run.broken.front();
    data["what"] = "";
    for (const std::string& what : run.broken) {
        data["what"] = data["what"].get<std::string>() + what + "; ";
    }
    data["end"] = seconds(run.end);
    data["faultsEnd"] = seconds(run.end);
    data["parameters"] = {{"misscount", run.options.misscount.count()},
                          {"disktimeout", run.options.disktimeout.count()},
                          {"reboottime", run.options.reboottime.count()}};
    for (const char* none : {"links", "paths"}) {
        data[none] = Json::array();
    }
    for (const auto& [node, spans] : acts_) {
        Json acts = Json::array();
        for (const Span& span : spans) {
            acts.push_back({seconds(span.from), "token " + std::to_string(span.token)});
            acts.push_back({seconds(span.to), ""});
        }
        data["machines"].push_back({{"index", node},
                                    {"node", node},
                                    {"guest", false},
                                    {"host", Json::array({Json::array({0, "on"})})},
                                    {"daemon", Json::array()},
                                    {"paused", Json::array()},
                                    {"acts", acts},
                                    {"record", Json::array()},
                                    {"lease", Json::array()}});
    }
    std::vector<Line> lines = lines_;
    std::ranges::stable_sort(lines, {}, &Line::at);
    data["lines"] = Json::array();
    for (const Line& line : lines) {
        data["lines"].push_back({seconds(line.at), line.node, line.what, line.details});
    }
    return timeline_page(data);
}

}  // namespace css::faults
