#include "cssd/group/engine.h"

#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "cssd/group/message.h"
#include "cssd/group/segment.h"

namespace css::group {
namespace {

using std::chrono::milliseconds;

constexpr Duration kPatience = milliseconds{500};

Instance instance(unsigned node, std::uint32_t unique = 1) {
    return Instance{NodeNumber{node}, Unique{unique}};
}

Blob data_of(std::string_view text) {
    Bytes bytes;
    for (const char c : text) {
        bytes.push_back(static_cast<std::byte>(c));
    }
    return blob(std::move(bytes));
}

/// Engines on a network that loses nothing, and what they had to say.
class GroupEngine : public ::testing::Test {
protected:
    struct Node {
        std::unique_ptr<Engine> engine;
        std::map<std::uint64_t, Answer> answers;
        std::vector<Delivery> deliveries;
        std::vector<Client> kills;
        std::vector<NodeNumber> evictions;
        std::vector<Notice> notices;
    };

    Node& add(unsigned number, std::uint32_t unique = 1) {
        Node& node = nodes_[NodeNumber{number}];
        node = Node{};
        EngineOptions options;
        options.self = instance(number, unique);
        options.pending_max = 4;
        options.kill_patience = kPatience;
        node.engine = std::make_unique<Engine>(options);
        uniques_[NodeNumber{number}] = Unique{unique};
        return node;
    }
    ViewChanged record(std::uint64_t incarnation, std::initializer_list<unsigned> members) {
        ViewChanged view;
        view.incarnation = Incarnation{incarnation};
        for (const unsigned n : members) {
            view.members.insert(NodeNumber{n});
            view.unique[NodeNumber{n}] = uniques_[NodeNumber{n}];
        }
        return view;
    }
    void tell(const ViewChanged& view) {
        for (const NodeNumber n : view.members) {
            step(n, view);
        }
    }
    void form(std::uint64_t incarnation, std::initializer_list<unsigned> members) {
        tell(record(incarnation, members));
        settle();
    }

    void step(NodeNumber n, const Input& input) {
        Node& node = nodes_.at(n);
        node.engine->step(now_, input);
        Output output = node.engine->take_output();
        for (Datagram& datagram : output.datagrams) {
            network_.emplace_back(n, std::move(datagram));
        }
        for (const Answer& answer : output.answers) {
            EXPECT_TRUE(node.answers.emplace(answer.request, answer).second);
        }
        const auto append = [](auto& to, auto& from) {
            to.insert(to.end(), from.begin(), from.end());
        };
        append(node.deliveries, output.deliveries);
        append(node.kills, output.kills);
        append(node.evictions, output.evictions);
        append(node.notices, output.notices);
    }
    void settle() {
        while (!network_.empty()) {
            const auto [from, datagram] = network_.front();
            network_.pop_front();
            if (nodes_.contains(datagram.to)) {
                step(datagram.to, DatagramReceived{from, datagram.bytes});
            }
        }
    }
    void pass(Duration time) {
        now_ += time;
        for (auto& [n, node] : nodes_) {
            step(n, Tick{});
        }
        settle();
    }
    Answer ask(unsigned n, decltype(Request::what) what) {
        const std::uint64_t id = ++last_request_;
        step(NodeNumber{n}, Request{id, std::move(what)});
        settle();
        const auto& answers = nodes_.at(NodeNumber{n}).answers;
        const auto found = answers.find(id);
        EXPECT_NE(found, answers.end());
        return found == answers.end() ? Answer{} : found->second;
    }
    Node& node(unsigned n) { return nodes_.at(NodeNumber{n}); }
    std::size_t malformed(unsigned n) {
        return static_cast<std::size_t>(std::ranges::count_if(
            node(n).notices, [](const Notice& x) { return x.kind == NoticeKind::kMalformed; }));
    }
    /// As one engine would send it to another as the first thing under a record.
    static Bytes datagram(Instance from, Instance to, std::uint64_t incarnation, const Message& m) {
        Segment segment;
        segment.sender = from;
        segment.receiver = to;
        segment.incarnation = Incarnation{incarnation};
        segment.sequence = segment.expected = 1;
        segment.ends_message = true;
        segment.payload = encode(m);
        return encode(segment);
    }

    Instant now_{};
    std::map<NodeNumber, Node> nodes_;
    PerNode<Unique> uniques_;
    std::deque<std::pair<NodeNumber, Datagram>> network_;
    std::uint64_t last_request_ = 0;
};

TEST_F(GroupEngine, RequestsWaitForTheFirstRecord) {
    add(1);
    step(NodeNumber{1}, Request{1, Join{"g", 5, 1, 0, data_of("a")}});
    EXPECT_TRUE(node(1).answers.empty());
    EXPECT_FALSE(node(1).engine->is_installed());
    form(3, {1});
    EXPECT_EQ(node(1).answers.at(1).result, Result::kDone);
    EXPECT_TRUE(node(1).engine->is_installed());
    EXPECT_EQ(node(1).engine->sequencer(), NodeNumber{1});
}

TEST_F(GroupEngine, AMemberIsToldOfItsOwnJoinAndOfAllThatFollowsButNotOfItsLeave) {
    add(1);
    add(2);
    form(1, {1, 2});
    const Answer first = ask(2, Join{"g", 5, 1, 0, data_of("a")});
    EXPECT_EQ(first.serial, 1U);
    ask(1, Join{"g", 6, 1, 0, data_of("b")});
    ask(1, Publish{"g", 6, data_of("c")});
    ask(2, Leave{"g", 5});
    ask(1, Publish{"g", 6, data_of("d")});
    ASSERT_EQ(node(2).deliveries.size(), 3U);
    EXPECT_EQ(node(2).deliveries[0].event->member, first.member);
    EXPECT_EQ(node(2).deliveries[2].event->kind, EventKind::kPublished);
    EXPECT_EQ(*node(2).deliveries[2].event->data, *data_of("c"));
    ASSERT_EQ(node(1).deliveries.size(), 4U);
    EXPECT_EQ(node(1).deliveries[2].event->kind, EventKind::kLeft);
    EXPECT_EQ(node(1).deliveries[2].clients, std::vector<Client>{6});
}

TEST_F(GroupEngine, WhatMakesNoSenseIsRefusedAtOnce) {
    add(1);
    form(1, {1});
    EXPECT_EQ(ask(1, Join{"", 5, 1, 0, data_of("")}).result, Result::kInvalid);
    EXPECT_EQ(ask(1, Join{std::string(64, 'g'), 5, 1, 0, data_of("")}).result, Result::kInvalid);
    EXPECT_EQ(ask(1, Join{"a b", 5, 1, 0, data_of("")}).result, Result::kInvalid);
    EXPECT_EQ(ask(1, Join{"g", 5, 1, 0, nullptr}).result, Result::kInvalid);
    EXPECT_EQ(ask(1, Join{"g", 5, 1, 0, blob(Bytes(kDataMax + 1))}).result, Result::kInvalid);
    EXPECT_EQ(ask(1, Join{"g", 5, 1, 0, blob(Bytes(kDataMax))}).result, Result::kDone);
}

TEST_F(GroupEngine, MoreRequestsThanMayWaitAreTurnedAway) {
    add(1);
    for (std::uint64_t id = 1; id <= 5; ++id) {
        step(NodeNumber{1}, Request{id, Join{"g", id, 1, 0, data_of("")}});
    }
    EXPECT_EQ(node(1).answers.size(), 1U);
    EXPECT_EQ(node(1).answers.at(5).result, Result::kBusy);
    step(NodeNumber{1}, ClientGone{2});  // Never turned away.
    form(1, {1});
    EXPECT_EQ(node(1).engine->state().group("g")->members.size(), 3U);
}

/// Node 1 ordered something and died before anybody got it; what node 2 wanted is done once.
TEST_F(GroupEngine, WhatASequencerTookWithItIsSubmittedAgain) {
    add(1);
    add(2);
    add(3);
    form(1, {1, 2, 3});
    ask(2, Join{"g", 5, 1, 0, data_of("a")});
    step(NodeNumber{2}, Request{99, Publish{"g", 5, data_of("b")}});
    ASSERT_EQ(network_.size(), 1U);
    step(NodeNumber{1}, DatagramReceived{NodeNumber{2}, network_.front().second.bytes});
    network_.clear();
    nodes_.erase(NodeNumber{1});
    form(2, {2, 3});
    EXPECT_EQ(node(2).answers.at(99).result, Result::kDone);
    EXPECT_EQ(*node(3).engine->state().group("g")->members.begin()->second.data, *data_of("b"));
    EXPECT_EQ(node(3).engine->state().group("g")->serial, 2U);
}

/// Node 1 ordered something, node 3 alone got it, node 1 died: node 2 gets it from node 3.
TEST_F(GroupEngine, TheNewSequencerCatchesUpWithWhoeverHasComeFurthest) {
    add(1);
    add(2);
    add(3);
    form(1, {1, 2, 3});
    ask(3, Join{"g", 5, 1, 0, data_of("a")});
    step(NodeNumber{1}, Request{98, Join{"h", 9, 1, 0, data_of("")}});
    std::erase_if(network_, [](const auto& p) { return p.second.to != NodeNumber{3}; });
    settle();
    ASSERT_NE(node(3).engine->state().group("h"), nullptr);
    ASSERT_EQ(node(2).engine->state().group("h"), nullptr);
    nodes_.erase(NodeNumber{1});
    form(2, {2, 3});
    EXPECT_TRUE(node(2).engine->is_installed());
    EXPECT_EQ(node(2).engine->state().position(), node(3).engine->state().position());
    EXPECT_EQ(node(2).engine->state().group("h"), nullptr);  // Joined, and gone with its node.
    EXPECT_EQ(malformed(2) + malformed(3), 0U);
}

TEST_F(GroupEngine, ANodeWithALowerNumberThatJoinsTakesOver) {
    add(2);
    form(1, {2});
    ask(2, Join{"g", 5, 1, 0, data_of("a")});
    add(1);
    form(2, {1, 2});
    EXPECT_EQ(node(2).engine->sequencer(), NodeNumber{1});
    ASSERT_NE(node(1).engine->state().group("g"), nullptr);
    EXPECT_EQ(ask(2, Publish{"g", 5, data_of("b")}).result, Result::kDone);
}

TEST_F(GroupEngine, OtherRecordsAndOtherInstancesAreNotHeard) {
    add(1);
    add(2);
    tell(record(5, {1, 2}));
    network_.clear();
    const auto give = [&](Instance from, Instance to, std::uint64_t incarnation) {
        step(NodeNumber{1},
             DatagramReceived{from.node, datagram(from, to, incarnation, Report{Position{0}})});
        return node(1).engine->is_installed();
    };
    EXPECT_FALSE(give(instance(2), instance(1), 4));
    EXPECT_FALSE(give(instance(2), instance(1), 6));
    EXPECT_FALSE(give(instance(2, 9), instance(1), 5));
    EXPECT_FALSE(give(instance(2), instance(1, 9), 5));
    EXPECT_FALSE(give(instance(3), instance(1), 5));
    EXPECT_TRUE(give(instance(2), instance(1), 5));
}

/// Authentic, but against the rules: ignored, and told.
TEST_F(GroupEngine, WhatOnlyTheSequencerMaySayIsNotTakenFromOthers) {
    add(1);
    add(2);
    add(3);
    form(1, {1, 2, 3});
    const Position before = node(3).engine->state().position();
    tell(record(2, {1, 2, 3}));
    network_.clear();
    const Entry entry{next(before), instance(2), 1, LeaveAll{1}};
    step(NodeNumber{3},
         DatagramReceived{NodeNumber{2}, datagram(instance(2), instance(3), 2, entry)});
    EXPECT_EQ(node(3).engine->state().position(), before);
    EXPECT_EQ(malformed(3), 1U);
    step(NodeNumber{1},
         DatagramReceived{NodeNumber{2},
                          datagram(instance(2), instance(1), 2, Submit{1, LeaveAll{1}})});
    EXPECT_EQ(malformed(1), 1U);  // Before it was installed.
}

/// What was begun under one record is not continued under the next.
TEST_F(GroupEngine, HalfASnapshotEndsWithItsRecord) {
    add(1);
    add(2);
    tell(record(1, {1, 2}));
    network_.clear();
    const SnapshotBegin half{Position{7}, Incarnation{1}, {}};
    step(NodeNumber{2},
         DatagramReceived{NodeNumber{1}, datagram(instance(1), instance(2), 1, half)});
    form(2, {1, 2});
    EXPECT_TRUE(node(2).engine->is_installed());
    EXPECT_EQ(node(2).engine->state().position(), Position{1});
    EXPECT_EQ(malformed(2), 0U);
}

TEST_F(GroupEngine, AMemberIsKilledOnItsNodeAndNobodyIsEvicted) {
    add(1);
    add(2);
    form(1, {1, 2});
    ask(1, Join{"g", 5, 1, 0, data_of("")});
    const MemberId target = ask(2, Join{"g", 6, 1, 0, data_of("")}).member;
    EXPECT_EQ(ask(1, Kill{"g", 5, target}).result, Result::kDone);
    EXPECT_EQ(node(2).kills, std::vector<Client>{6});
    EXPECT_TRUE(node(1).kills.empty());
    pass(kPatience / 2);
    step(NodeNumber{2}, ClientGone{6});
    settle();
    EXPECT_EQ(node(1).deliveries.back().event->reason, LeaveReason::kKilled);
    pass(2 * kPatience);
    EXPECT_TRUE(node(1).evictions.empty());
}

TEST_F(GroupEngine, AMemberThatDoesNotEndTakesItsNodeAlong) {
    add(1);
    add(2);
    add(3);
    form(1, {1, 2, 3});
    ask(3, Join{"g", 5, 1, 0, data_of("")});
    const MemberId target = ask(1, Join{"g", 6, 1, 0, data_of("")}).member;
    ask(3, Kill{"g", 5, target});
    EXPECT_EQ(node(1).kills, std::vector<Client>{6});
    pass(kPatience - milliseconds{1});
    EXPECT_TRUE(node(2).evictions.empty());
    pass(milliseconds{1});
    // The lowest of the others asks, nobody else; and again, if it was in vain.
    EXPECT_EQ(node(2).evictions, std::vector{NodeNumber{1}});
    EXPECT_TRUE(node(1).evictions.empty());
    EXPECT_TRUE(node(3).evictions.empty());
    pass(kPatience);
    EXPECT_EQ(node(2).evictions.size(), 2U);
    nodes_.erase(NodeNumber{1});
    form(2, {2, 3});
    EXPECT_EQ(node(3).deliveries.back().event->reason, LeaveReason::kNode);
    pass(2 * kPatience);
    EXPECT_EQ(node(2).evictions.size(), 2U);
}

TEST_F(GroupEngine, AloneThereIsNobodyToEvict) {
    add(1);
    form(1, {1});
    const MemberId target = ask(1, Join{"g", 6, 1, 0, data_of("")}).member;
    ask(1, Kill{"g", 6, target});
    EXPECT_EQ(node(1).kills, std::vector<Client>{6});
    pass(kPatience);
    EXPECT_TRUE(node(1).evictions.empty());
    EXPECT_EQ(node(1).notices.back().kind, NoticeKind::kKillOverdue);
}

TEST_F(GroupEngine, NothingIsSentWhenNothingHappens) {
    add(1);
    add(2);
    form(1, {1, 2});
    ask(2, Join{"g", 5, 1, 0, data_of("")});
    now_ += std::chrono::hours{1};
    for (auto& [n, node] : nodes_) {
        node.engine->step(now_, Tick{});
        const Output output = node.engine->take_output();
        EXPECT_TRUE(output.datagrams.empty());
        EXPECT_EQ(output.wake_at, kForever);
    }
}

}  // namespace
}  // namespace css::group
