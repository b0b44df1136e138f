#include "tests/simulator/timeline.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/simulator/commit.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/network.h"
#include "tests/simulator/page.h"
#include "tests/simulator/replay.h"

namespace css::sim {
namespace {

using Json = nlohmann::json;

double seconds(SimTime time) {
    return static_cast<double>(time) / 1e9;
}

std::string daemon_state(const Daemon& daemon) {
    if (daemon.arbiter == nullptr) {
        return "";
    }
    if (daemon.instance.unique == Unique{}) {
        return "starting";
    }
    return daemon.stopping && daemon.state == NodeState::kActive ? "stopping"
                                                                 : name_of(daemon.state);
}

}  // namespace

void Timeline::Track::set(SimTime at, const std::string& value) {
    if (changes.empty() ? !value.empty() : changes.back().value != value) {
        changes.push_back({.at = at, .value = value});
    }
}

void Timeline::attach(World& world) {
    world_ = &world;
    world.timeline = this;
    lanes_.resize(world.machines.size());
    world.trace.collect_into(&lines_);
}

void Timeline::sample() {
    for (const Machine& machine : world_->machines) {
        sample_machine(machine, lanes_[machine.index]);
    }
    sample_links();
    sample_paths();
}

void Timeline::sample_machine(const Machine& machine, Lane& lane) {
    const SimTime now = world_->now;
    const Daemon& daemon = machine.daemon;
    const bool runs = machine.on && daemon.arbiter != nullptr;
    lane.node = machine.number.value();
    lane.guest = machine.index == world_->nodes();
    lane.host.set(now, machine.on ? machine.frozen(now) ? "frozen" : "on" : "");
    lane.daemon.set(now, machine.on ? daemon_state(daemon) : "");
    lane.paused.set(now, runs && daemon.paused_until > now ? "paused" : "");
    lane.acts.set(
        now, machine.may_act(now) ? "token " + std::to_string(machine.clients.token.value()) : "");
    lane.record.set(now,
                    runs && daemon.published != Incarnation{}
                        ? "R" + std::to_string(daemon.published.value())
                        : "");
    const Guardian& guardian = machine.guardian;
    const bool told = machine.on && guardian.armed && guardian.end != kForever;
    const SimTime end = told ? machine.clock.when(guardian.end, 0) : 0;
    if (lane.lease.empty() ? end != 0 : lane.lease.back().second != end) {
        lane.lease.emplace_back(now, end);
    }
}

void Timeline::sample_links() {
    for (unsigned a = 0; a < world_->nodes(); ++a) {
        for (unsigned b = a + 1; b < world_->nodes(); ++b) {
            const bool there = world_->network->carries_some(a, b);
            const bool back = world_->network->carries_some(b, a);
            const std::string ways[]{"", "from", "to", "both"};
            const std::string& way = ways[(there ? 0U : 1U) + (back ? 0U : 2U)];
            if (!way.empty() || links_.contains({a, b})) {
                links_[{a, b}].set(world_->now, way);
            }
        }
    }
}

void Timeline::sample_paths() {
    for (unsigned f = 0; f < world_->disks->files(); ++f) {
        for (unsigned m = 0; m < world_->nodes(); ++m) {
            const std::string what = world_->disks->faults_on(m, f);
            if (!what.empty() || paths_.contains({f, m})) {
                paths_[{f, m}].set(world_->now, what);
            }
        }
    }
}

void Timeline::end(const RunResult& result) {
    sample();
    world_ = nullptr;
    result_ = result;
}

void Timeline::crash() {
    crashed_ = true;
    RunResult result;
    result.invariant = "a check of the core";
    result.what = "what it says is on standard error";
    result.at = world_->now;
    end(result);
}

std::string Timeline::page() const {
    const auto track = [](const Track& from) {
        Json changes = Json::array();
        for (const Track::Change& change : from.changes) {
            changes.push_back({seconds(change.at), change.value});
        }
        return changes;
    };
    Json data;
    data["title"] = "css_sim, seed " + std::to_string(options_.seed);
    data["about"] = "A cluster in simulation";
    data["options"] = options_.describe();
    data["again"] = run_again(options_);
    data["commit"] = kCommit;
    data["verdict"] = crashed_ ? "CRASH" : title(result_.verdict);
    data["invariant"] = result_.invariant;
    data["what"] = result_.what;
    data["end"] = seconds(result_.at);
    data["faultsEnd"] = seconds(options_.fault_phase);
    data["parameters"] = {{"misscount", options_.initial().misscount.count()},
                          {"disktimeout", options_.initial().disktimeout.count()},
                          {"reboottime", options_.initial().reboottime.count()}};
    unsigned index = 0;
    for (const Lane& lane : lanes_) {
        Json lease = Json::array();
        for (const auto& [at, end] : lane.lease) {
            lease.push_back({seconds(at), seconds(end)});
        }
        data["machines"].push_back({{"index", ++index},
                                    {"node", lane.node},
                                    {"guest", lane.guest},
                                    {"host", track(lane.host)},
                                    {"daemon", track(lane.daemon)},
                                    {"paused", track(lane.paused)},
                                    {"acts", track(lane.acts)},
                                    {"record", track(lane.record)},
                                    {"lease", lease}});
    }
    data["links"] = Json::array();
    for (const auto& [pair, cut] : links_) {
        data["links"].push_back(
            {{"a", pair.first + 1}, {"b", pair.second + 1}, {"cut", track(cut)}});
    }
    data["paths"] = Json::array();
    for (const auto& [path, faults] : paths_) {
        data["paths"].push_back(
            {{"file", path.first + 1}, {"machine", path.second + 1}, {"faults", track(faults)}});
    }
    data["lines"] = Json::array();
    for (const TraceLine& line : lines_) {
        data["lines"].push_back({seconds(line.at), line.machine + 1, line.what, line.details});
    }
    return timeline_page(data);
}

}  // namespace css::sim
