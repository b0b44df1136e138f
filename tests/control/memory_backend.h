#pragma once

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "cssd/config/config.h"
#include "cssd/runtime/control.h"

namespace css::runtime {

/// The daemon's side of the control socket with its facts kept in memory: three nodes, three voting
/// files. Changes take effect at once, unless held back.
class MemoryBackend : public ControlBackend {
public:
    MemoryBackend() {
        const NodeNumber self{1};
        view_.now = {.boot = Instant{std::chrono::seconds{1000}},
                     .wall = std::chrono::system_clock::time_point{std::chrono::seconds{1}}};
        view_.names.self = self;
        view_.cluster_name = "demo";
        view_.cluster_guid = ClusterGuid{};
        view_.cluster_guid->bytes[15] = std::byte{0x1F};
        view_.fence_action = "exit";
        view_.realtime_priority = 4;
        view_.status.phase = core::Phase::kMember;
        view_.status.self = {self, Unique{77}};
        view_.status.may_act = true;
        view_.status.lease_end = view_.now.boot + std::chrono::milliseconds{26'412};
        view_.status.newest.incarnation = Incarnation{5};
        view_.status.complete = Incarnation{5};
        view_.status.files_online = 3;
        view_.status.files_needed = 2;
        for (unsigned i = 1; i <= 3; ++i) {
            const NodeNumber n{i};
            view_.names.nodes[n] = "n" + std::to_string(i);
            view_.addresses[n] = "10.0.0." + std::to_string(i);
            view_.status.newest.members.insert(n);
            core::NodeView& node = view_.status.nodes[n];
            node.unique = Unique{76 + i};
            node.state = NodeState::kActive;
            node.listed = true;
            node.since = Incarnation{5};
            node.heard_network = view_.now.boot;
            node.heard_disk = view_.now.boot;
            add_file(i);
        }
    }

    DaemonView view() override {
        const std::lock_guard lock{mutex_};
        return view_;
    }
    std::vector<Event> history() override {
        const std::lock_guard lock{mutex_};
        return history_;
    }
    nlohmann::json groups() override {
        return nlohmann::json::parse(R"({"ok":true,"state":"in order","sequencer":"n1",
            "incarnation":5,"position":42,"groups":[
            {"name":"HB+ASM","owner":0,"serial":17,"members":[
            {"member":4,"node":"n1","number":1,"pid":2871,"uid":0,"data_size":12,
             "kill_asked":false},
            {"member":31,"node":"n2","number":2,"pid":77,"uid":0,"data_size":0,
             "kill_asked":true}]}]})");
    }
    void submit(const Request& request, Completion done) override {
        core::RequestResult result = core::RequestResult::kDone;
        {
            const std::lock_guard lock{mutex_};
            ++submitted_;
            if (hold_) {
                held_.push_back(std::move(done));
                return;
            }
            result = apply(request);
        }
        done(result);
    }
    void change_voting_files(const FileChange& change, Answered done) override {
        const std::lock_guard lock{mutex_};
        file_changes_.push_back(change);
        done({{"ok", true},
              {"formatted", change.add},
              {"added", change.add},
              {"removed", change.replace ? std::vector<std::string>{"/v1"} : change.remove}});
    }
    void reload_nodes(Answered done) override { done({{"ok", true}, {"nodes", 3}}); }
    void replace_key(Answered done) override {
        done({{"ok", true}, {"fingerprint", "0123456789abcdef"}});
    }
    void set_log_level(config::LogLevel level) override {
        const std::lock_guard lock{mutex_};
        view_.log_level = level;
    }
    Status save_key(std::string_view key, std::string_view value) override {
        const std::lock_guard lock{mutex_};
        saved_.emplace_back(key, value);
        return Done{};
    }

    /// Changes what queries see.
    template <class Change>
    void change(Change change) {
        const std::lock_guard lock{mutex_};
        change(view_);
    }
    void add_history(const Event& event) {
        const std::lock_guard lock{mutex_};
        history_.push_back(event);
    }
    /// From now on requests stay under way until release().
    void hold() {
        const std::lock_guard lock{mutex_};
        hold_ = true;
    }
    void release(core::RequestResult result) {
        std::vector<Completion> held;
        {
            const std::lock_guard lock{mutex_};
            hold_ = false;
            held.swap(held_);
        }
        for (const auto& done : held) {
            done(result);
        }
    }
    std::size_t held() {
        const std::lock_guard lock{mutex_};
        return held_.size();
    }
    unsigned submitted() {
        const std::lock_guard lock{mutex_};
        return submitted_;
    }
    std::vector<std::pair<std::string, std::string>> saved() {
        const std::lock_guard lock{mutex_};
        return saved_;
    }
    std::vector<FileChange> file_changes() {
        const std::lock_guard lock{mutex_};
        return file_changes_;
    }
    [[nodiscard]] bool left() const { return left_; }

private:
    void add_file(unsigned i) {
        VotingFileRow row{.index = FileIndex::from_index(i - 1),
                          .fuid = FileUid{},
                          .path = "/v" + std::to_string(i),
                          .state = core::FileState::kOnline};
        row.fuid->bytes.fill(static_cast<std::byte>(0xA0 + i));
        view_.voting_files.push_back(row);
    }

    core::RequestResult apply(const Request& request) {
        if (const auto* set = std::get_if<core::SetParameters>(&request)) {
            Parameters& p = view_.status.newest.parameters;
            p.misscount = set->misscount.value_or(p.misscount);
            p.disktimeout = set->disktimeout.value_or(p.disktimeout);
            p.reboottime = set->reboottime.value_or(p.reboottime);
        } else if (const auto* evict = std::get_if<core::EvictNode>(&request)) {
            if (!view_.status.newest.members.contains(evict->node)) {
                return core::RequestResult::kUnknownNode;
            }
            view_.status.newest.members.erase(evict->node);
        } else if (const auto* standby = std::get_if<core::SetStandby>(&request)) {
            view_.status.standby = standby->standby;
        } else if (const auto* weight = std::get_if<core::SetWeight>(&request)) {
            view_.status.weight = weight->weight;
        } else {
            left_ = true;
        }
        return core::RequestResult::kDone;
    }

    std::mutex mutex_;
    DaemonView view_;
    std::vector<FileChange> file_changes_;
    std::vector<Event> history_;
    std::vector<Completion> held_;
    std::vector<std::pair<std::string, std::string>> saved_;
    unsigned submitted_ = 0;
    bool hold_ = false;
    std::atomic<bool> left_ = false;
};

}  // namespace css::runtime
