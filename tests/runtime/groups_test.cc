#include <gtest/gtest.h>

#include "cssd/client/css.h"
#include "tests/client/member.h"
#include "tests/runtime/cluster.h"

namespace css::e2e {
namespace {

using nlohmann::json;
using testing::Member;

std::string event_of(unsigned type) {
    return "event " + std::to_string(type) + " g ";
}

/// The members as `crsctl query css groups` shows them: node and size of the data of each.
std::vector<std::string> shown(const LoopbackCluster& cluster, unsigned node) {
    const Finished asked = run(
        {CSS_E2E_CRSCTL, "--run-dir", cluster.run_dir(node), "query", "css", "groups", "--json"});
    const json document = json::parse(asked.out, nullptr, false);
    std::vector<std::string> members;
    if (document.is_object() && document.at("ok") == true) {
        for (const json& group : document["groups"]) {
            for (const json& member : group["members"]) {
                members.push_back(group["name"].get<std::string>() + " " +
                                  member["node"].get<std::string>() + " " +
                                  member["data_size"].dump());
            }
        }
    }
    return members;
}

class GroupsOfDaemons : public ::testing::Test {
protected:
    void form() {
        cluster_.format();
        for (const unsigned node : {1U, 2U, 3U}) {
            cluster_.start(node);
        }
        for (const unsigned node : {1U, 2U, 3U}) {
            ASSERT_TRUE(cluster_.wait_members(node, {"n1", "n2", "n3"}))
                << cluster_.alert_log(node);
        }
    }
    LoopbackCluster cluster_{3, 3};
};

TEST_F(GroupsOfDaemons, MembersOnAllNodesAndACrash) {
    form();
    Member one{cluster_.run_dir(1), "g"};
    Member two{cluster_.run_dir(2), "g"};
    Member three{cluster_.run_dir(3), "g"};
    one.join("first");
    two.join();
    const std::string last = std::to_string(three.join("x"));
    EXPECT_EQ(two.ask("publish hello"), "0");
    for (Member* member : {&one, &two, &three}) {
        const std::string heard = member->hear(event_of(CSS_EVENT_PUBLISHED));
        EXPECT_EQ(heard.substr(heard.rfind(' ')), " hello");
    }
    const std::vector<std::string> all{"g n1 5", "g n2 5", "g n3 1"};
    for (const unsigned node : {1U, 2U, 3U}) {
        EXPECT_EQ(shown(cluster_, node), all);
    }
    const Finished text =
        run({CSS_E2E_CRSCTL, "--run-dir", cluster_.run_dir(2), "query", "css", "groups"});
    EXPECT_NE(text.out.find("Group g: 3 members"), std::string::npos) << text.out;
    EXPECT_NE(text.out.find("n3 (3)"), std::string::npos) << text.out;

    css_t* css = nullptr;
    ASSERT_EQ(css_connect(cluster_.run_dir(1).c_str(), &css), 0);
    css_membership_t before;
    ASSERT_EQ(css_get_membership(css, &before), 0);
    EXPECT_EQ(before.nodes, 3U);

    // The daemon, its guardians and its client die at once, as with the machine.
    cluster_.crash(3);
    three.process().signal(SIGKILL);
    const std::string left = one.hear(event_of(CSS_EVENT_LEFT));
    EXPECT_NE(left.find(" " + last + " 3 " + std::to_string(CSS_REASON_NODE) + " "),
              std::string::npos)
        << left;
    EXPECT_EQ(two.ask("publish after"), "0");
    EXPECT_EQ(shown(cluster_, 1), (std::vector<std::string>{"g n1 5", "g n2 5"}));
    css_membership_t after;
    ASSERT_EQ(css_get_membership(css, &after), 0);
    EXPECT_GT(after.incarnation, before.incarnation);
    EXPECT_EQ(after.nodes, 2U);
    ASSERT_EQ(after.departures, 1U);
    EXPECT_STREQ(after.departure[0].name, "n3");
    EXPECT_EQ(after.departure[0].unique, before.node[2].unique);
    EXPECT_EQ(after.departure[0].reason, std::uint32_t{CSS_REASON_LINK_LOST});
    css_disconnect(css);

    // It comes back as another instance, and a program there is a new member.
    cluster_.start(3);
    ASSERT_TRUE(cluster_.wait_members(3, {"n1", "n2", "n3"}));
    Member again{cluster_.run_dir(3), "g"};
    again.join("back");
    EXPECT_NE(two.hear(event_of(CSS_EVENT_JOINED)), "");  // Node 2 shows what it has delivered.
    EXPECT_EQ(shown(cluster_, 2), (std::vector<std::string>{"g n1 5", "g n2 5", "g n3 4"}));
}

/// The node that orders everything goes: the others go on without losing anything.
TEST_F(GroupsOfDaemons, TheSequencerCrashes) {
    form();
    Member two{cluster_.run_dir(2), "g"};
    Member three{cluster_.run_dir(3), "g"};
    two.join();
    three.join();
    cluster_.crash(1);
    for (int i = 0; i < 20; ++i) {
        two.tell("publish " + std::to_string(i));  // Waits while the membership is settled.
    }
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(two.hear("done "), "done 0");
        const std::string heard = three.hear(event_of(CSS_EVENT_PUBLISHED));
        ASSERT_EQ(heard.substr(heard.rfind(' ')), " " + std::to_string(i));
    }
    ASSERT_TRUE(cluster_.wait_members(2, {"n2", "n3"}));
}

/// A clean stop: the programs are asked to end, and leave the group before the node leaves.
TEST_F(GroupsOfDaemons, ACleanStop) {
    form();
    Member one{cluster_.run_dir(1), "g"};
    Member three{cluster_.run_dir(3), "g"};
    one.join();
    three.join();
    cluster_.daemon(3).signal(SIGTERM);
    const std::string left = one.hear(event_of(CSS_EVENT_LEFT));
    EXPECT_NE(left.find(" 3 " + std::to_string(CSS_REASON_GONE) + " "), std::string::npos) << left;
    EXPECT_EQ(WTERMSIG(three.process().wait()), SIGTERM);
}

}  // namespace
}  // namespace css::e2e
