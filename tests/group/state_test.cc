#include "cssd/group/state.h"

#include <gtest/gtest.h>

namespace css::group {
namespace {

constexpr Instance kOne{NodeNumber{1}, Unique{10}};
constexpr Instance kTwo{NodeNumber{2}, Unique{20}};

Blob data_of(std::size_t size) {
    return blob(Bytes(size, std::byte{1}));
}

class GroupState : public ::testing::Test {
protected:
    State::Applied apply(Instance origin, Command command) {
        const std::uint64_t number = state_.last_number(origin) + 1;
        return state_.apply(Entry{next(state_.position()), origin, number, std::move(command)});
    }
    State::Applied view(std::initializer_list<Instance> members) {
        NewView v;
        v.incarnation = Incarnation{state_.incarnation().value() + 1};
        for (const Instance m : members) {
            v.members.insert(m.node);
            v.unique[m.node] = m.unique;
        }
        return state_.apply(Entry{next(state_.position()), kOne, 0, v});
    }
    MemberId join(Instance origin,
                  Client client,
                  const std::string& group = "g",
                  std::uint32_t uid = 0) {
        return apply(origin, Join{group, client, 100, uid, data_of(3)}).member;
    }
    State state_;
};

TEST_F(GroupState, MembersJoinPublishAndLeave) {
    const auto joined = apply(kOne, Join{"g", 5, 100, 0, data_of(3)});
    EXPECT_EQ(joined.result, Result::kDone);
    ASSERT_EQ(joined.events.size(), 1U);
    EXPECT_EQ(joined.events[0].kind, EventKind::kJoined);
    EXPECT_EQ(joined.events[0].serial, 1U);
    EXPECT_EQ(joined.events[0].pid, 100U);
    EXPECT_EQ(joined.events[0].data->size(), 3U);
    const MemberId second = join(kTwo, 5);
    EXPECT_NE(joined.member, second);
    const auto published = apply(kTwo, Publish{"g", 5, data_of(7)});
    ASSERT_EQ(published.events.size(), 1U);
    EXPECT_EQ(published.events[0].serial, 3U);
    EXPECT_EQ(published.events[0].member, second);
    EXPECT_EQ(state_.find("g", second)->data->size(), 7U);
    const auto left = apply(kOne, Leave{"g", 5});
    ASSERT_EQ(left.events.size(), 1U);
    EXPECT_EQ(left.events[0].reason, LeaveReason::kLeft);
    EXPECT_EQ(apply(kTwo, Leave{"g", 5}).result, Result::kDone);
    EXPECT_TRUE(state_.groups().empty());
}

TEST_F(GroupState, WhoIsNoMemberCanDoNothing) {
    join(kOne, 5);
    EXPECT_EQ(apply(kOne, Join{"g", 5, 1, 0, data_of(0)}).result, Result::kExists);
    EXPECT_EQ(apply(kTwo, Publish{"g", 5, data_of(0)}).result, Result::kNotMember);
    EXPECT_EQ(apply(kTwo, Leave{"g", 5}).result, Result::kNotMember);
    EXPECT_EQ(apply(kOne, Publish{"h", 5, data_of(0)}).result, Result::kNotMember);
    EXPECT_EQ(apply(kTwo, Kill{"g", 5, MemberId{1}}).result, Result::kNotMember);
    EXPECT_EQ(apply(kOne, Kill{"g", 5, MemberId{77}}).result, Result::kNotMember);
    EXPECT_EQ(state_.group("g")->serial, 1U);
}

TEST_F(GroupState, AGroupBelongsToTheUserWhoMadeIt) {
    join(kOne, 5, "g", 1000);
    EXPECT_EQ(apply(kTwo, Join{"g", 1, 1, 1001, data_of(0)}).result, Result::kNotPermitted);
    EXPECT_EQ(apply(kTwo, Join{"g", 2, 1, 1000, data_of(0)}).result, Result::kDone);
    EXPECT_EQ(apply(kTwo, Join{"g", 3, 1, 0, data_of(0)}).result, Result::kDone);
    join(kOne, 6, "roots", 0);
    EXPECT_EQ(apply(kTwo, Join{"roots", 1, 1, 1000, data_of(0)}).result, Result::kNotPermitted);
}

TEST_F(GroupState, OnlyRootOrTheSameUserKills) {
    const MemberId users = join(kOne, 1, "g", 1000);
    const MemberId roots = join(kOne, 2, "g", 0);
    const auto refused = apply(kOne, Kill{"g", 1, roots});
    EXPECT_EQ(refused.result, Result::kNotPermitted);
    EXPECT_FALSE(state_.find("g", roots)->kill_asked);
    EXPECT_EQ(apply(kOne, Kill{"g", 2, users}).result, Result::kDone);
    EXPECT_TRUE(state_.find("g", users)->kill_asked);
    const auto gone = apply(kOne, LeaveAll{1});
    ASSERT_EQ(gone.events.size(), 1U);
    EXPECT_EQ(gone.events[0].reason, LeaveReason::kKilled);
}

TEST_F(GroupState, WhoseProcessEndedIsInNoGroup) {
    join(kOne, 5, "a");
    join(kOne, 5, "b");
    join(kOne, 6, "b");
    const auto gone = apply(kOne, LeaveAll{5});
    ASSERT_EQ(gone.events.size(), 2U);
    EXPECT_EQ(gone.events[0].group, "a");
    EXPECT_EQ(gone.events[1].group, "b");
    EXPECT_EQ(gone.events[1].reason, LeaveReason::kGone);
    EXPECT_EQ(state_.groups().size(), 1U);
    EXPECT_TRUE(apply(kOne, LeaveAll{5}).events.empty());
    EXPECT_EQ(apply(kOne, LeaveAll{6, LeaveReason::kLeft}).events.at(0).reason, LeaveReason::kLeft);
}

TEST_F(GroupState, AProgramIsInSoManyGroupsAtMost) {
    for (std::size_t i = 0; i < kMembershipsMax; ++i) {
        join(kOne, 5, "g" + std::to_string(i));
    }
    EXPECT_EQ(apply(kOne, Join{"more", 5, 1, 0, data_of(0)}).result, Result::kFull);
    EXPECT_EQ(apply(kOne, Join{"more", 6, 1, 0, data_of(0)}).result, Result::kDone);
}

TEST_F(GroupState, ARecordTakesMembersOfOtherInstancesAway) {
    join(kOne, 5);
    join(kTwo, 6);
    EXPECT_TRUE(view({kOne, kTwo}).events.empty());
    const Instance again{kTwo.node, Unique{21}};
    const auto changed = view({kOne, again});  // The same number, another life.
    ASSERT_EQ(changed.events.size(), 1U);
    EXPECT_EQ(changed.events[0].node, kTwo.node);
    EXPECT_EQ(changed.events[0].reason, LeaveReason::kNode);
    EXPECT_EQ(state_.last_number(again), 0U);
    EXPECT_EQ(state_.last_number(kOne), 1U);
}

TEST_F(GroupState, GroupsAndDataAreBounded) {
    for (Client c = 0; c < kGroupMax; ++c) {
        ASSERT_EQ(apply(kOne, Join{"g", c, 1, 0, data_of(0)}).result, Result::kDone);
    }
    EXPECT_EQ(apply(kTwo, Join{"g", 0, 1, 0, data_of(0)}).result, Result::kFull);
    EXPECT_EQ(apply(kTwo, Join{"h", 0, 1, 0, data_of(0)}).result, Result::kDone);
    apply(kOne, Leave{"g", 17});
    EXPECT_EQ(apply(kTwo, Join{"g", 0, 1, 0, data_of(0)}).result, Result::kDone);
    // Data: as many members as fill it, and one more byte.
    const Blob large = data_of(kDataMax);
    Client client = 0;
    for (std::size_t held = 0; held + kDataMax <= kDataTotalMax; held += kDataMax) {
        const std::string group = "d" + std::to_string(client / kGroupMax);
        ASSERT_EQ(apply(kTwo, Join{group, 10 + client, 1, 0, large}).result, Result::kDone);
        ++client;
    }
    EXPECT_EQ(apply(kTwo, Publish{"g", 0, data_of(1)}).result, Result::kFull);
    apply(kTwo, Publish{"d0", 10, data_of(0)});
    EXPECT_EQ(apply(kTwo, Publish{"g", 0, data_of(1)}).result, Result::kDone);
}

TEST_F(GroupState, ASnapshotIsTheSameState) {
    join(kOne, 5, "a", 1000);
    join(kTwo, 6, "a", 1000);
    join(kTwo, 6, "b");
    apply(kTwo, Kill{"a", 6, MemberId{1}});
    view({kOne, kTwo});
    const auto messages = state_.save();
    std::optional<State::Loader> loader;
    for (const Blob& bytes : messages) {
        const auto message = decode(*bytes);
        ASSERT_TRUE(message);
        if (const auto* begin = std::get_if<SnapshotBegin>(&*message)) {
            loader.emplace(*begin);
        } else if (const auto* group = std::get_if<SnapshotGroup>(&*message)) {
            EXPECT_TRUE(loader->add(*group));
            EXPECT_FALSE(loader->add(*group));  // Twice.
        } else if (const auto* member = std::get_if<SnapshotMember>(&*message)) {
            EXPECT_TRUE(loader->add(*member));
            EXPECT_FALSE(loader->add(*member));
        }
    }
    State copy = loader->take();
    ASSERT_EQ(copy.save().size(), messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        EXPECT_EQ(*copy.save()[i], *messages[i]);
    }
    // And what follows has the same effect on both.
    const Entry entry{next(state_.position()), kTwo, state_.last_number(kTwo) + 1, LeaveAll{6}};
    EXPECT_EQ(copy.apply(entry).events.size(), state_.apply(entry).events.size());
    EXPECT_EQ(copy.find("a", MemberId{1})->kill_asked, true);
}

TEST_F(GroupState, ASnapshotThatContradictsItselfIsRefused) {
    State::Loader loader{SnapshotBegin{Position{4}, Incarnation{1}, {}}};
    const SnapshotMember member{MemberId{3}, kOne, 1, 1, 0, false, data_of(0)};
    EXPECT_FALSE(loader.add(member));  // Of no group.
    ASSERT_TRUE(loader.add(SnapshotGroup{"g", 0, 1}));
    SnapshotMember late = member;
    late.id = MemberId{5};  // Behind its position.
    EXPECT_FALSE(loader.add(late));
    EXPECT_TRUE(loader.add(member));
    SnapshotMember again = member;
    again.id = MemberId{2};  // The same client twice.
    EXPECT_FALSE(loader.add(again));
}

}  // namespace
}  // namespace css::group
