#include "tests/group/world.h"

#include <algorithm>

// What is checked, after every step of every node:
//
// - Order: the events of one entry, and the state after it, are the same on every node (log_,
//   states_).
// - Nothing lost among survivors: when a record is installed first, nobody in it has come further
//   than what it was installed at.
// - Once: no published text stands at two places; one that was answered as done by an instance that
//   is still there stands at one.
// - Never silently: what a program is told of a group has serials without a gap, or a 'missed'
//   exactly as large as the gap.
// At the end, when troubles are over: everybody is at the same place, every request was answered,
// and the members are exactly the programs that joined and are there.

namespace css::group::testing {

using std::chrono::milliseconds;

namespace {

constexpr std::array kGroups{"alpha", "beta", "gamma"};
constexpr Duration kRound = milliseconds{10};
constexpr Duration kKillPatience = std::chrono::seconds{3};

std::string text_of(const Blob& data) {
    std::string text;
    for (const std::byte b : *data) {
        text += std::to_integer<char>(b);
    }
    return text;
}

Blob data_of(const std::string& text) {
    Bytes bytes;
    for (const char c : text) {
        bytes.push_back(static_cast<std::byte>(c));
    }
    return blob(std::move(bytes));
}

std::string describe(const Event& event) {
    std::string text = event.group + " #" + std::to_string(event.serial) + " kind " +
                       std::to_string(static_cast<int>(event.kind)) + " member " +
                       std::to_string(event.member.value()) + " node " +
                       std::to_string(event.node.value());
    if (event.kind == EventKind::kLeft) {
        text += " reason " + std::to_string(static_cast<int>(event.reason));
    }
    return event.data == nullptr ? text : text + " " + text_of(event.data);
}

std::uint64_t hash_of(const State& state) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const Blob& message : state.save()) {
        for (const std::byte b : *message) {
            hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 1099511628211ULL;
        }
    }
    return hash;
}

}  // namespace

World::World(const WorldOptions& options) : options_(options), random_(options.seed) {
    for (unsigned i = 1; i <= options_.nodes; ++i) {
        const NodeNumber number{i};
        all_.insert(number);
        nodes_[number].number = number;
        begin_instance(nodes_[number]);
    }
    decide();
}

World::~World() = default;

std::uint64_t World::draw(std::uint64_t below) {
    return random_() % below;
}

bool World::chance(double p) {
    return static_cast<double>(draw(1'000'000)) < p * 1e6;
}

Duration World::delay() {
    return Duration{static_cast<std::int64_t>(
        1000 + draw(static_cast<std::uint64_t>(options_.delay_max.count())))};
}

void World::fail(const Node& node, const std::string& what) {
    if (!wrong_) {
        wrong_ = "seed " + std::to_string(options_.seed) + ", at " +
                 std::to_string(now_.time_since_epoch().count() / 1'000'000) + " ms, node " +
                 std::to_string(node.number.value()) + " (" + std::to_string(node.unique.value()) +
                 "): " + what;
    }
}

// ------------------------------------------------------------------------------ the cluster

void World::begin_instance(Node& node) {
    node.unique = Unique{node.unique.value() + 1 + static_cast<std::uint32_t>(draw(3))};
    EngineOptions options;
    options.self = node.instance();
    options.history_entries_max = options_.history_entries_max;
    options.pending_max = options_.pending_max;
    options.kill_patience = kKillPatience;
    node.engine = std::make_unique<Engine>(options);
    node.up = true;
    node.stands_still_until = node.cut_until = kNever;
    node.wake_at = kForever;
    node.hashed = Position{};
    node.told.reset();
    node.asked.clear();
    node.programs.clear();
    for (unsigned i = 0; i < options_.clients; ++i) {
        Program program;
        program.number = next_client_++;
        node.programs.emplace(program.number, program);
    }
}

/// Stops at once; the record without it is complete a while later.
void World::crash(Node& node, Duration noticed_after) {
    node.up = false;
    node.engine.reset();
    std::erase_if(promised_, [&](const auto& p) { return p.first == node.number; });
    agenda_.emplace(now_ + noticed_after, Decided{NodeSet::of(node.number)});
}

/// The next record is complete: everybody who runs is in it, and hears of it in its own time.
void World::decide() {
    record_.incarnation = Incarnation{record_.incarnation.value() + 1 + draw(2)};
    record_.members = NodeSet{};
    for (const NodeNumber n : all_) {
        if (nodes_[n].up) {
            record_.members.insert(n);
            record_.unique[n] = nodes_[n].unique;
        }
    }
    for (const NodeNumber n : record_.members) {
        const Duration late = chance(0.7) ? delay() : 20 * delay();
        agenda_.emplace(now_ + late, Told{n, nodes_[n].unique, record_});
    }
}

World::Node* World::any_up() {
    const NodeNumber n = NodeNumber::from_index(draw(options_.nodes));
    return nodes_[n].up ? &nodes_[n] : nullptr;
}

void World::trouble() {
    if (options_.crashes && chance(0.004)) {
        if (Node* victim = any_up(); victim != nullptr && record_.members.count() > 1) {
            crash(*victim, 10 * delay());
        }
    }
    if (options_.crashes && chance(0.01)) {
        Node& back = nodes_[NodeNumber::from_index(draw(options_.nodes))];
        // Mostly after a record without the instance before; else one record replaces it.
        if (!back.up && (!record_.members.contains(back.number) || chance(0.2))) {
            begin_instance(back);
            decide();
        }
    }
    if (chance(0.003)) {
        decide();  // A parameter changed.
    }
    Node* const cut = options_.cuts && chance(0.01) ? any_up() : nullptr;
    if (cut != nullptr) {
        (chance(0.5) ? cut->cut_until : cut->stands_still_until) = now_ + 40 * delay();
    }
}

// ------------------------------------------------------------------------------- the clients

std::optional<World::Asked> World::wish(const Node& node, const Program& program) {
    const std::string group = kGroups.at(draw(kGroups.size()));
    const std::string text =
        std::to_string(next_text_++) + std::string(draw(options_.data_max + 1), '.');
    if (!program.groups.contains(group)) {
        return Asked{program.number, Join{group, program.number, 77, 0, data_of(text)}};
    }
    if (chance(0.1)) {
        return Asked{program.number, Leave{group, program.number}};
    }
    const Group* members = node.engine->state().group(group);
    if (chance(0.02) && members != nullptr) {
        auto target = members->members.begin();
        std::advance(target, draw(members->members.size()));
        return Asked{program.number, Kill{group, program.number, target->first}};
    }
    return Asked{program.number, Publish{group, program.number, data_of(text)}};
}

void World::act(Node& node) {
    std::vector<Client> over;
    for (auto& [client, program] : node.programs) {
        if (!program.alive || program.asked || !chance(0.2)) {
            continue;
        }
        if (chance(0.01)) {
            over.push_back(client);
            continue;
        }
        if (auto asked = wish(node, program)) {
            const std::uint64_t id = next_request_++;
            program.asked = id;
            const Request request{id, asked->what};
            node.asked.emplace(id, std::move(*asked));
            step(node, request);
        }
    }
    for (const Client client : over) {
        happen(Ended{node.number, node.unique, client});
        Program fresh;
        fresh.number = next_client_++;
        node.programs.emplace(fresh.number, fresh);
    }
}

void World::happen(const Ended& ended) {
    Node& node = nodes_[ended.node];
    if (!node.up || node.unique != ended.unique || stands_still(node)) {
        return;
    }
    Program& program = node.programs.at(ended.client);
    if (program.alive) {
        program.alive = false;
        program.groups.clear();
        step(node, ClientGone{ended.client});
    }
}

// ---------------------------------------------------------------------------------- time

void World::run(Duration troubles) {
    const Instant end = now_ + troubles;
    while (now_ < end && !wrong_) {
        trouble();
        for (const NodeNumber n : all_) {
            if (nodes_[n].up && !stands_still(nodes_[n])) {
                act(nodes_[n]);
            }
        }
        advance(now_ + kRound);
    }
    // Everybody comes back and the network is good; what was begun ends.
    troubled_ = false;
    for (int round = 0; round < 3; ++round) {  // Nodes of programs that did not die go as well.
        advance(now_ + 2 * kKillPatience);
        for (const NodeNumber n : all_) {
            if (!nodes_[n].up) {
                begin_instance(nodes_[n]);
            }
            nodes_[n].cut_until = nodes_[n].stands_still_until = kNever;
        }
        decide();
    }
    advance(now_ + std::chrono::seconds{20});
    if (!wrong_) {
        check_quiet();
    }
}

void World::advance(Instant to) {
    while (!wrong_) {
        Node* first = nullptr;
        for (const NodeNumber n : all_) {
            Node& node = nodes_[n];
            if (node.up && (first == nullptr || node.wake_at < first->wake_at)) {
                first = &node;
            }
        }
        const Instant wakes = first == nullptr ? kForever : std::max(first->wake_at, now_);
        const Instant happens = agenda_.empty() ? kForever : agenda_.begin()->first;
        if (std::min(wakes, happens) > to) {
            break;
        }
        if (happens <= wakes) {
            now_ = std::max(now_, happens);
            const Happening what = std::move(agenda_.begin()->second);
            agenda_.erase(agenda_.begin());
            std::visit([this](const auto& h) { happen(h); }, what);
        } else {
            now_ = wakes;
            if (stands_still(*first)) {
                first->wake_at = first->stands_still_until;
            } else {
                step(*first, Tick{});
            }
        }
    }
    now_ = std::max(now_, to);
}

void World::happen(const Packet& packet) {
    Node& node = nodes_[packet.to];
    if (!node.up || now_ < node.cut_until) {
        return;
    }
    if (stands_still(node)) {
        if (chance(0.5)) {  // The rest does not fit into the kernel's buffer.
            agenda_.emplace(node.stands_still_until + delay(), packet);
        }
        return;
    }
    step(node, DatagramReceived{packet.from, packet.bytes});
}

void World::happen(const Told& told) {
    Node& node = nodes_[told.node];
    if (!node.up || node.unique != told.unique ||
        (node.told && node.told->incarnation >= told.view.incarnation)) {
        return;
    }
    if (stands_still(node)) {
        agenda_.emplace(node.stands_still_until + delay(), told);
        return;
    }
    node.told = told.view;
    ++counters_.views;
    step(node, told.view);
}

void World::happen(const Decided& decided) {
    if (!(record_.members & decided.drop).empty()) {
        decide();
    }
}

// ---------------------------------------------------------------------------------- steps

void World::step(Node& node, const Input& input) {
    if (wrong_) {
        return;
    }
    of_this_step_.clear();
    left_in_this_step_.clear();
    node.engine->step(now_, input);
    carry_out(node, node.engine->take_output());
}

void World::carry_out(Node& node, Output output) {
    node.wake_at = output.wake_at;
    for (const Notice& notice : output.notices) {
        take_notice(node, notice);
    }
    for (const auto& [position, events] : of_this_step_) {
        const auto known = log_.try_emplace(position, events).first;
        if (known->second != events) {
            fail(node,
                 "other events at position " + std::to_string(position.value()) + ": " +
                     events.front() + " instead of " + known->second.front());
        }
    }
    for (const Answer& answer : output.answers) {
        take_answer(node, answer);
    }
    for (const Delivery& delivery : output.deliveries) {
        take_delivery(node, delivery);
    }
    for (const Client client : output.kills) {
        ++counters_.kills;
        if (!troubled_ || chance(0.7)) {
            agenda_.emplace(now_ + delay(), Ended{node.number, node.unique, client});
        }
    }
    check_state(node);
    for (Datagram& datagram : output.datagrams) {
        if (now_ < node.cut_until || (troubled_ && chance(options_.loss))) {
            continue;
        }
        const Packet packet{node.number, datagram.to, std::move(datagram.bytes)};
        agenda_.emplace(now_ + delay(), packet);
        if (chance(options_.twice)) {
            agenda_.emplace(now_ + 5 * delay(), packet);
        }
    }
    for (const NodeNumber n : output.evictions) {
        if (nodes_[n].up && record_.members.contains(n)) {
            crash(nodes_[n], delay());
        }
    }
}

void World::take_answer(Node& node, const Answer& answer) {
    ++counters_.answered;
    const auto found = node.asked.find(answer.request);
    if (found == node.asked.end()) {
        return fail(node, "an answer to nothing");
    }
    const Asked asked = std::move(found->second);
    node.asked.erase(found);
    Program& program = node.programs.at(asked.client);
    program.asked.reset();
    counters_.unknown += answer.result == Result::kUnknown ? 1 : 0;
    if (const auto* publish = std::get_if<Publish>(&asked.what);
        publish != nullptr && answer.result == Result::kDone) {
        promised_.emplace(node.number, text_of(publish->data));
    }
    if (const auto* join = std::get_if<Join>(&asked.what); join != nullptr) {
        if (answer.result == Result::kDone && program.alive) {
            program.groups[join->group] = Membership{answer.member, answer.serial};
        } else if (answer.result == Result::kExists) {
            fail(node, "is a member of " + join->group + " and did not know it");
        }
    }
    if (const auto* leave = std::get_if<Leave>(&asked.what);
        leave != nullptr && answer.result != Result::kBusy) {
        if (answer.result == Result::kNotMember && program.groups.contains(leave->group)) {
            fail(node, "is no member of " + leave->group + " and did not know it");
        }
        program.groups.erase(leave->group);
        left_in_this_step_.emplace(program.number, leave->group);
    }
}

void World::take_delivery(Node& node, const Delivery& delivery) {
    for (const Client client : delivery.clients) {
        Program& program = node.programs.at(client);
        const auto membership = program.groups.find(delivery.event->group);
        if (membership != program.groups.end()) {
            check_told(node, membership->second, *delivery.event);
        } else if (program.alive && !left_in_this_step_.contains({client, delivery.event->group})) {
            fail(node, "tells a program that is no member");
        }
    }
}

void World::check_told(const Node& node, Membership& membership, const Event& event) {
    const bool own = event.kind == EventKind::kJoined && event.member == membership.id;
    const std::uint64_t missed = event.kind == EventKind::kMissed ? event.missed : 1;
    counters_.missed += event.kind == EventKind::kMissed ? 1 : 0;
    if (event.serial != membership.serial + (own ? 0 : missed)) {
        fail(node,
             "told " + describe(event) + " after serial " + std::to_string(membership.serial));
    }
    membership.serial = event.serial;
}

void World::take_notice(Node& node, const Notice& notice) {
    switch (notice.kind) {
        case NoticeKind::kViewInstalled: return check_installed(node, notice);
        case NoticeKind::kEvent: return check_event(node, *notice.event);
        case NoticeKind::kSnapshotTaken: ++counters_.snapshots; return;
        case NoticeKind::kFetching: ++counters_.fetches; return;
        case NoticeKind::kMalformed: return fail(node, "refuses what another engine sent");
        case NoticeKind::kViewEntered:
        case NoticeKind::kSnapshotSent:
        case NoticeKind::kKillAsked:
        case NoticeKind::kKillOverdue: return;
    }
}

/// The first to install a record. What stands behind it in the truth was seen by the dead alone.
void World::check_installed(const Node& node, const Notice& notice) {
    if (notice.incarnation <= installed_) {
        return;
    }
    installed_ = notice.incarnation;
    for (const NodeNumber n : node.told->members) {
        const Node& other = nodes_[n];
        if (other.up && other.unique == node.told->unique[n] && n != node.number &&
            other.engine->state().position() >= notice.position) {
            fail(other,
                 "has come to " + std::to_string(other.engine->state().position().value()) +
                     ", but the record is installed at " + std::to_string(notice.position.value()));
        }
    }
    log_.erase(log_.lower_bound(notice.position), log_.end());
    states_.erase(states_.lower_bound(notice.position), states_.end());
    std::erase_if(published_, [&](const auto& p) { return p.second >= notice.position; });
}

void World::check_event(const Node& node, const Event& event) {
    if (event.kind == EventKind::kMissed) {
        return;
    }
    ++counters_.events;
    of_this_step_[event.position].push_back(describe(event));
    if (event.kind == EventKind::kPublished) {
        const auto [known, fresh] = published_.try_emplace(text_of(event.data), event.position);
        if (known->second != event.position) {
            fail(node, "published twice: " + describe(event));
        }
    }
}

void World::check_state(Node& node) {
    const State& state = node.engine->state();
    if (state.position() == node.hashed) {
        return;
    }
    node.hashed = state.position();
    const std::uint64_t hash = hash_of(state);
    if (states_.try_emplace(state.position(), hash).first->second != hash) {
        fail(node, "another state at position " + std::to_string(state.position().value()));
    }
}

void World::check_quiet() {
    for (const NodeNumber n : all_) {
        const Node& node = nodes_[n];
        if (!node.engine->is_installed() || node.told->incarnation != record_.incarnation) {
            fail(node, "the last record is not installed");
        } else if (node.engine->state().position() !=
                   nodes_[record_.members.lowest()].engine->state().position()) {
            fail(node, "has not come as far as the sequencer");
        } else if (!node.asked.empty()) {
            fail(node, "a request was not answered");
        } else {
            check_programs(node);
        }
    }
    for (const auto& [node, text] : promised_) {
        if (!published_.contains(text)) {
            fail(nodes_[node], "answered as done and lost: " + text);
        }
    }
}

void World::check_programs(const Node& node) {
    const State& state = node.engine->state();
    std::size_t members = 0;
    for (const auto& [name, group] : state.groups()) {
        members += static_cast<std::size_t>(std::ranges::count_if(
            group.members, [&](const auto& m) { return m.second.home == node.instance(); }));
    }
    for (const auto& [client, program] : node.programs) {
        for (const auto& [name, membership] : program.groups) {
            --members;
            const Member* member = state.find(name, membership.id);
            if (member == nullptr || member->client != client) {
                return fail(node, "a program joined " + name + " and is no member");
            }
            if (membership.serial != state.group(name)->serial) {
                return fail(node, "a member of " + name + " was not told the last events");
            }
        }
    }
    if (members != 0) {
        fail(node, "a member that no program knows of");
    }
}

}  // namespace css::group::testing
