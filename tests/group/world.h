#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cssd/group/engine.h"

namespace css::group::testing {

struct WorldOptions {
    std::uint64_t seed = 1;
    unsigned nodes = 3;
    unsigned clients = 3;  ///< Of each node.
    double loss = 0.05;
    double twice = 0.05;
    Duration delay_max = std::chrono::milliseconds{30};
    std::size_t history_entries_max = 4096;
    std::size_t pending_max = 16'384;
    std::size_t data_max = 40;
    bool crashes = true;  ///< Nodes also stop, are dropped and come back as other instances.
    bool cuts = true;     ///< Nodes also lose their network, or stand still, for a while.
};

/// How often something happened, to see that a campaign reached it.
struct Counters {
    std::uint64_t events = 0;
    std::uint64_t missed = 0;
    std::uint64_t snapshots = 0;
    std::uint64_t fetches = 0;
    std::uint64_t views = 0;
    std::uint64_t unknown = 0;
    std::uint64_t kills = 0;
    std::uint64_t answered = 0;
};

/// Engines of several nodes in virtual time, over a network that loses, doubles and reorders, with
/// clients that do as a seed says. Everything is checked after every step; see world.cc for what.
/// The first thing found wrong is kept, and nothing happens after it.
class World {
public:
    explicit World(const WorldOptions& options);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    World(World&&) = delete;
    World& operator=(World&&) = delete;

    /// Faults and requests for this long, then neither, until all is quiet; then the last checks.
    void run(Duration troubles);
    [[nodiscard]] const std::optional<std::string>& wrong() const { return wrong_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    struct Membership {
        MemberId id;
        std::uint64_t serial = 0;  ///< Of the last event told; zero: none yet.
    };
    struct Program {
        Client number = 0;
        std::map<std::string, Membership> groups;
        std::optional<std::uint64_t> asked;  ///< The request under way.
        bool alive = true;
    };
    struct Asked {
        Client client = 0;
        std::variant<Join, Publish, Leave, Kill> what;
    };
    struct Node {
        NodeNumber number;
        Unique unique;
        std::unique_ptr<Engine> engine;
        bool up = false;
        Instant stands_still_until = kNever;
        Instant cut_until = kNever;
        Position hashed;  ///< Up to here its state was compared.
        Instant wake_at = kForever;
        std::optional<ViewChanged> told;
        std::map<Client, Program> programs;
        std::map<std::uint64_t, Asked> asked;
        [[nodiscard]] Instance instance() const { return Instance{number, unique}; }
    };
    struct Packet {
        NodeNumber from;
        NodeNumber to;
        Bytes bytes;
    };
    struct Told {
        NodeNumber node;
        Unique unique;
        ViewChanged view;
    };
    struct Ended {
        NodeNumber node;
        Unique unique;
        Client client = 0;
    };
    struct Decided {
        NodeSet drop;
    };
    using Happening = std::variant<Packet, Told, Ended, Decided>;

    [[nodiscard]] std::uint64_t draw(std::uint64_t below);
    [[nodiscard]] bool chance(double p);
    [[nodiscard]] Duration delay();
    Node* any_up();

    void begin_instance(Node& node);
    void crash(Node& node, Duration noticed_after);
    void decide();
    void trouble();
    void act(Node& node);
    [[nodiscard]] std::optional<Asked> wish(const Node& node, const Program& program);
    void advance(Instant to);
    void happen(const Packet& packet);
    void happen(const Told& told);
    void happen(const Ended& ended);
    void happen(const Decided& decided);
    [[nodiscard]] bool stands_still(const Node& node) const {
        return now_ < node.stands_still_until;
    }
    void step(Node& node, const Input& input);
    void carry_out(Node& node, Output output);
    void take_answer(Node& node, const Answer& answer);
    void take_delivery(Node& node, const Delivery& delivery);
    void check_told(const Node& node, Membership& membership, const Event& event);
    void take_notice(Node& node, const Notice& notice);
    void check_installed(const Node& node, const Notice& notice);
    void check_event(const Node& node, const Event& event);
    void check_state(Node& node);
    void check_quiet();
    void check_programs(const Node& node);
    void fail(const Node& node, const std::string& what);

    WorldOptions options_;
    std::mt19937_64 random_;
    Instant now_{};
    std::multimap<Instant, Happening> agenda_;
    PerNode<Node> nodes_;
    NodeSet all_;
    ViewChanged record_;  ///< The newest complete one.
    std::uint64_t next_request_ = 1;
    Client next_client_ = 1;
    std::uint64_t next_text_ = 1;
    bool troubled_ = true;

    // The truth, from whoever was first. What only instances that are gone have seen is forgotten
    // when the next record is installed.
    std::map<Position, std::vector<std::string>> log_;  ///< The events of each entry.
    std::map<Position, std::uint64_t> states_;          ///< A hash of the state after it.
    std::map<std::string, Position> published_;
    std::set<std::pair<NodeNumber, std::string>> promised_;  ///< Published, says a live instance.
    Incarnation installed_;
    std::map<Position, std::vector<std::string>> of_this_step_;
    std::set<std::pair<Client, std::string>> left_in_this_step_;

    std::optional<std::string> wrong_;
    Counters counters_;
};

}  // namespace css::group::testing
