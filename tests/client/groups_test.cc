#include "cssd/runtime/groups.h"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/client/css.h"
#include "cssd/client/lease_page_writer.h"
#include "cssd/runtime/census.h"
#include "tests/client/cgroup.h"
#include "tests/client/member.h"

namespace css::testing {
namespace {

constexpr std::int64_t kMinute = 60'000'000'000;

/// The daemons' halves that serve groups, on three nodes in this process: the client sockets, the
/// threads "groups" and the engines are the real ones; the network is a function call, and nobody
/// is fenced.
class ThreeNodes : public ::testing::Test {
protected:
    struct Node {
        client::LeasePageWriter page = client::LeasePageWriter::create().value();
        std::unique_ptr<runtime::Groups> groups;
        std::unique_ptr<client::ClientServer> server;
        std::atomic<client::ClientServer*> serves = nullptr;  ///< For the server's own thread.
    };

    ThreeNodes() : directory_("/tmp/css-groups-" + std::to_string(getpid())) {
        std::filesystem::remove_all(directory_);
        std::filesystem::create_directories(directory_);
        log_ = runtime::Log::open({.directory = directory_}).value();
        for (unsigned n = 1; n <= 3; ++n) {
            names_.nodes[NodeNumber{n}] = "n" + std::to_string(n);
            start(n);
        }
    }
    ~ThreeNodes() override {
        for (Node& node : nodes_) {
            node.groups->stop();
        }
        for (Node& node : nodes_) {
            node.server.reset();
        }
        log_.reset();
        std::filesystem::remove_all(directory_);
    }

    void start(unsigned n) {
        Node& node = at(n);
        node.groups = std::make_unique<runtime::Groups>(runtime::Groups::Parts{
            .send =
                [this, n](NodeNumber to, const group::Bytes& bytes) {
                    if (!cut_.at(to.index()) && !cut_.at(n - 1)) {
                        at(to.value()).groups->datagram(NodeNumber{n}, bytes);
                    }
                },
            .evict = [this](NodeNumber victim) { evicted_ = victim.value(); },
            .names = [this] { return names_; },
            .log = *log_});
        std::filesystem::create_directories(run_dir(n));
        client::ClientServerOptions options;
        options.run_dir = run_dir(n);
        options.page_fd = node.page.reader_fd();
        options.enlist = [this, n](std::uint64_t client, int) {
            at(n).serves.load()->enlisted(client, true);
        };
        options.enlist_cgroup = [this, n](std::uint64_t client, int, client::CgroupKind) {
            at(n).serves.load()->enlisted(client, true);
        };
        options.dismiss = [](std::uint64_t) {};
        options.groups = node.groups->calls();
        node.server = client::ClientServer::start(std::move(options)).value();
        node.serves = node.server.get();
        ASSERT_TRUE(node.groups->start(*node.server));
    }
    /// A record of these members is complete, and they hear of it.
    void complete(std::initializer_list<unsigned> members) {
        Record record;
        record.incarnation = Incarnation{++incarnation_};
        for (const unsigned n : members) {
            record.members.insert(NodeNumber{n});
            record.unique[NodeNumber{n}] = Unique{100 + n};
        }
        for (const NodeNumber n : record.members) {
            at(n.value()).groups->complete(record, record.listed(n));
        }
    }
    Node& at(unsigned n) { return nodes_.at(n - 1); }
    [[nodiscard]] std::string run_dir(unsigned n) const {
        return directory_ + "/n" + std::to_string(n);
    }
    [[nodiscard]] css_t* connect(unsigned n) const {
        css_t* css = nullptr;
        EXPECT_EQ(css_connect(run_dir(n).c_str(), &css), 0);
        return css;
    }
    [[nodiscard]] std::string logged() const {
        std::ifstream file{directory_ + "/cssd.trc"};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    std::string directory_;
    runtime::Names names_;
    std::unique_ptr<runtime::Log> log_;
    std::array<Node, 3> nodes_;
    std::array<std::atomic<bool>, 3> cut_{};
    std::atomic<unsigned> evicted_ = 0;
    std::uint64_t incarnation_ = 0;
};

int wait_for_event(css_t* css, css_event_t* event) {
    pollfd wait{css_event_fd(css), POLLIN, 0};
    if (poll(&wait, 1, 60'000) != 1) {
        return -ETIMEDOUT;
    }
    return css_next_event(css, event);
}

TEST_F(ThreeNodes, MembersOfAllNodesSeeTheSameInTheSameOrder) {
    complete({1, 2, 3});
    Member one{run_dir(1), "g"};
    Member two{run_dir(2), "g"};
    Member three{run_dir(3), "g"};
    const std::uint64_t first = one.join("a");
    const std::uint64_t second = two.join("b");
    const std::uint64_t third = three.join();
    EXPECT_EQ(two.ask("publish hello"), "0");
    EXPECT_EQ(one.ask("publish from-one"), "0");
    EXPECT_EQ(three.ask("leave"), "0");
    const std::string published = "event " + std::to_string(CSS_EVENT_PUBLISHED) + " g ";
    const std::string left = "event " + std::to_string(CSS_EVENT_LEFT) + " g ";
    const std::string member_two = std::to_string(second) + " 2 0 0 ";
    const std::string member_one = std::to_string(first) + " 1 0 0 ";
    for (Member* member : {&one, &two}) {
        EXPECT_EQ(member->hear(published), published + "4 " + member_two + "hello");
        EXPECT_EQ(member->hear(published), published + "5 " + member_one + "from-one");
        EXPECT_EQ(member->hear(left), left + "6 " + std::to_string(third) + " 3 1 0 ");
    }
    EXPECT_EQ(three.hear(published), published + "4 " + member_two + "hello");
    const std::string list =
        "members " + std::to_string(first) + "/1/8 " + std::to_string(second) + "/2/5";
    EXPECT_EQ(one.ask("members", "members"), list.substr(7));
    EXPECT_EQ(three.ask("members", "members"), list.substr(7));  // Not only for members.
    EXPECT_EQ(three.ask("data " + std::to_string(second), "data "), "0 hello");
    EXPECT_EQ(three.ask("data 12345", "data "), std::to_string(-ENOENT) + " ");
    EXPECT_EQ(three.ask("publish x"), std::to_string(-ENOENT));
}

TEST_F(ThreeNodes, WhoEndsIsGoneAndWhoIsKilledIsKilled) {
    complete({1, 2, 3});
    Member watcher{run_dir(3), "g"};
    const std::uint64_t own = watcher.join();
    Member one{run_dir(1), "g"};
    Member two{run_dir(2), "g"};
    const std::string ended = std::to_string(one.join());
    const std::string killed = std::to_string(two.join());
    one.process().signal(SIGTERM);
    const std::string left = "event " + std::to_string(CSS_EVENT_LEFT) + " g ";
    EXPECT_EQ(watcher.hear(left), left + "4 " + ended + " 1 2 0 ");
    EXPECT_EQ(watcher.ask("kill " + killed), "0");
    EXPECT_EQ(WTERMSIG(two.process().wait()), SIGKILL);
    EXPECT_EQ(watcher.hear(left), left + "5 " + killed + " 2 3 0 ");
    EXPECT_EQ(watcher.ask("kill " + killed), std::to_string(-ENOENT));
    EXPECT_EQ(watcher.ask("members", "members"), " " + std::to_string(own) + "/3/0");
    EXPECT_NE(logged().find("GRP member " + killed + " of group g on node n2 is to be killed"),
              std::string::npos);
}

TEST_F(ThreeNodes, AMemberWithoutAConnectionStaysOneAsLongAsItsProcessLives) {
    complete({1});
    css_t* css = connect(1);
    css_t* other = connect(1);
    ASSERT_EQ(css_register_self(css), 0);
    ASSERT_EQ(css_group_join(css, "g", nullptr, 0, nullptr, kMinute), 0);
    css_disconnect(css);
    std::size_t count = 0;
    EXPECT_EQ(css_group_members(other, "g", nullptr, 0, &count, nullptr), -ENOSPC);
    EXPECT_EQ(count, 1U);
    css_disconnect(other);
}

TEST_F(ThreeNodes, UnregisteringLeaves) {
    complete({1});
    css_t* css = connect(1);
    EXPECT_EQ(css_group_join(css, "g", nullptr, 0, nullptr, kMinute), -EPERM);
    ASSERT_EQ(css_register_self(css), 0);
    std::uint64_t member = 0;
    ASSERT_EQ(css_group_join(css, "g", "x", 1, &member, kMinute), 0);
    EXPECT_NE(member, 0U);
    EXPECT_EQ(css_group_join(css, "g", nullptr, 0, nullptr, kMinute), -EALREADY);
    ASSERT_EQ(css_unregister_self(css), 0);
    ASSERT_EQ(css_register_self(css), 0);
    EXPECT_EQ(css_group_publish(css, "g", "y", 1, kMinute), -ENOENT);
    css_disconnect(css);
}

TEST_F(ThreeNodes, WrongQuestionsHaveTheirErrors) {
    css_t* css = connect(1);
    std::size_t count = 0;
    css_membership_t membership;
    EXPECT_EQ(css_get_membership(css, &membership), -EAGAIN);
    EXPECT_EQ(css_group_members(css, "g", nullptr, 0, &count, nullptr), -EAGAIN);
    ASSERT_EQ(css_register_self(css), 0);
    EXPECT_EQ(css_group_join(css, "g", nullptr, 0, nullptr, kMinute), -EAGAIN);
    complete({1});
    EXPECT_EQ(css_group_join(css, nullptr, nullptr, 0, nullptr, kMinute), -EINVAL);
    EXPECT_EQ(css_group_join(css, "", nullptr, 0, nullptr, kMinute), -EINVAL);
    EXPECT_EQ(css_group_join(css, "a b", nullptr, 0, nullptr, kMinute), -EINVAL);
    EXPECT_EQ(css_group_join(css, std::string(64, 'g').c_str(), nullptr, 0, nullptr, kMinute),
              -EINVAL);
    EXPECT_EQ(css_group_join(css, "g", nullptr, 1, nullptr, kMinute), -EINVAL);
    const std::vector<char> large(CSS_DATA_MAX + 1);
    EXPECT_EQ(css_group_join(css, "g", large.data(), large.size(), nullptr, kMinute), -EINVAL);
    EXPECT_EQ(css_group_members(css, "g", nullptr, 0, &count, nullptr), 0);
    EXPECT_EQ(count, 0U);
    EXPECT_EQ(css_group_join(css, "g", large.data(), CSS_DATA_MAX, nullptr, kMinute), 0);
    css_event_t event;
    EXPECT_EQ(css_next_event(css, &event), -EINVAL);  // No css_event_fd() yet.
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = css_group_publish(css, "g", "x", 1, kMinute) == -EINVAL &&
                             css_event_fd(css) == -EINVAL &&
                             css_get_membership(css, &membership) == -EINVAL;
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    css_disconnect(css);
}

/// The reader sleeps while more is published than waits for it: it is told how much it missed, in
/// its place, and everything before and after.
TEST_F(ThreeNodes, ASlowReaderIsToldWhatItMissed) {
    complete({1, 2, 3});
    css_t* reader = connect(2);
    ASSERT_EQ(css_register_self(reader), 0);
    ASSERT_GE(css_event_fd(reader), 0);
    css_t* writer = connect(1);
    ASSERT_EQ(css_register_self(writer), 0);
    ASSERT_EQ(css_group_join(reader, "g", nullptr, 0, nullptr, kMinute), 0);
    ASSERT_EQ(css_group_join(writer, "g", nullptr, 0, nullptr, kMinute), 0);
    constexpr std::uint64_t kEvents = 1000;
    for (std::uint64_t i = 0; i < kEvents; ++i) {
        ASSERT_EQ(css_group_publish(writer, "g", "x", 1, kMinute), 0);
    }
    std::uint64_t last = 0;
    std::uint64_t missed = 0;
    while (last < kEvents + 2) {
        css_event_t event;
        ASSERT_EQ(wait_for_event(reader, &event), 0) << "after event " << last;
        if (event.type == CSS_EVENT_MISSED) {
            missed += event.missed;
            ASSERT_EQ(event.serial, last + event.missed);
        } else {
            ASSERT_EQ(event.serial, last + 1);
        }
        last = event.serial;
    }
    EXPECT_GT(missed, kEvents / 4);
    ASSERT_EQ(css_group_publish(writer, "g", "y", 1, kMinute), 0);
    css_event_t event;
    ASSERT_EQ(wait_for_event(reader, &event), 0);
    EXPECT_EQ(event.type, std::uint32_t{CSS_EVENT_PUBLISHED});
    EXPECT_EQ(event.serial, last + 1);
    css_disconnect(reader);
    css_disconnect(writer);
}

/// Node 2 is cut off while more than the history happens; its member hears of it aloud.
TEST_F(ThreeNodes, ANodeThatWasCutOffTooLongMissesAloud) {
    complete({1, 2, 3});
    Member cut{run_dir(2), "g"};
    cut.join();
    css_t* writer = connect(1);
    ASSERT_EQ(css_register_self(writer), 0);
    ASSERT_EQ(css_group_join(writer, "g", nullptr, 0, nullptr, kMinute), 0);
    ASSERT_EQ(cut.ask("members", "members").size(), std::string{" 2/2/0 3/1/0"}.size());
    cut_[1] = true;
    const std::vector<char> data(CSS_DATA_MAX);
    constexpr int kMany = 1200;  // More than 4 MiB.
    for (int i = 0; i < kMany; ++i) {
        ASSERT_EQ(css_group_publish(writer, "g", data.data(), data.size(), kMinute), 0);
    }
    cut_[1] = false;
    const std::string missed = cut.hear("event " + std::to_string(CSS_EVENT_MISSED));
    ASSERT_FALSE(missed.empty());
    ASSERT_EQ(css_group_publish(writer, "g", "end", 3, kMinute), 0);
    EXPECT_NE(cut.hear("event " + std::to_string(CSS_EVENT_PUBLISHED)), "");
    EXPECT_NE(logged().find("GRP took a snapshot of position"), std::string::npos);
    css_disconnect(writer);
}

/// No answer in time: the call returns, what it asked for is done later, and the next call gets its
/// own answer.
TEST_F(ThreeNodes, AnAnswerThatComesTooLateIsNotTakenForAnother) {
    cut_[1] = true;
    complete({1, 2});  // Installed only when node 2 has reported.
    css_t* css = connect(1);
    ASSERT_EQ(css_register_self(css), 0);
    EXPECT_EQ(css_group_join(css, "g", "x", 1, nullptr, 50'000'000), -ETIMEDOUT);
    EXPECT_EQ(css_group_publish(css, "g", "y", 1, 0), -ETIMEDOUT);
    cut_[1] = false;
    EXPECT_EQ(css_group_publish(css, "g", "z", 1, kMinute), 0);
    std::size_t count = 0;
    css_member_t member;
    EXPECT_EQ(css_group_members(css, "g", &member, 1, &count, nullptr), 0);
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(css_unregister_self(css), 0);
    css_disconnect(css);
}

TEST_F(ThreeNodes, TheEndOfAnInstanceAnswersWhoeverWaits) {
    cut_[1] = true;
    complete({1, 2});
    css_t* css = connect(1);
    ASSERT_EQ(css_register_self(css), 0);
    std::atomic<int> status = 0;
    std::thread waiter{[&] { status = css_group_join(css, "g", nullptr, 0, nullptr, kMinute); }};
    // Until it is seen to wait there is nothing to answer; ended again and again it will be.
    std::thread ender{[&] {
        for (int i = 0; i < 100 && status == 0; ++i) {
            poll(nullptr, 0, 20);
            at(1).groups->instance_ended();
        }
    }};
    waiter.join();
    ender.join();
    EXPECT_TRUE(status == -ECONNRESET || status == -EAGAIN) << status;
    css_disconnect(css);
}

TEST_F(ThreeNodes, TheMembershipIsShownAndItsChangeIsAnEvent) {
    css_t* css = connect(1);
    const int fd = css_event_fd(css);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(css_event_fd(css), fd);
    css_event_t event;
    EXPECT_EQ(css_next_event(css, &event), -EAGAIN);
    runtime::Census census;
    Record record;
    record.incarnation = Incarnation{4};
    for (const unsigned n : {1U, 2U, 3U}) {
        record.members.insert(NodeNumber{n});
        record.unique[NodeNumber{n}] = Unique{100 + n};
    }
    at(1).server->show_membership(4, census.complete(record, NodeNumber{1}, names_));
    ASSERT_EQ(wait_for_event(css, &event), 0);
    EXPECT_EQ(event.type, std::uint32_t{CSS_EVENT_MEMBERSHIP});
    EXPECT_EQ(event.incarnation, 4U);
    css_membership_t membership;
    ASSERT_EQ(css_get_membership(css, &membership), 0);
    EXPECT_EQ(membership.nodes, 3U);
    EXPECT_EQ(membership.departures, 0U);

    core::Notice notice;
    notice.kind = core::NoticeKind::kEvict;
    notice.node = NodeNumber{2};
    notice.unique = Unique{102};
    notice.incarnation = Incarnation{5};
    notice.cause = RecordCause::kLinkLost;
    census.take(notice);
    record.incarnation = Incarnation{5};
    record.members.erase(NodeNumber{2});
    at(1).server->show_membership(5, census.complete(record, NodeNumber{1}, names_));
    ASSERT_EQ(wait_for_event(css, &event), 0);
    ASSERT_EQ(css_get_membership(css, &membership), 0);
    EXPECT_EQ(membership.incarnation, 5U);
    EXPECT_EQ(membership.self, 1U);
    ASSERT_EQ(membership.nodes, 2U);
    EXPECT_EQ(membership.node[1].number, 3U);
    EXPECT_EQ(membership.node[1].unique, 103U);
    EXPECT_EQ(membership.node[1].since, 4U);
    EXPECT_STREQ(membership.node[1].name, "n3");
    ASSERT_EQ(membership.departures, 1U);
    EXPECT_EQ(membership.departure[0].number, 2U);
    EXPECT_EQ(membership.departure[0].reason, std::uint32_t{CSS_REASON_LINK_LOST});
    EXPECT_EQ(membership.departure[0].incarnation, 5U);
    EXPECT_STREQ(membership.departure[0].name, "n2");
    at(1).server->show_active();
    ASSERT_EQ(wait_for_event(css, &event), 0);
    EXPECT_EQ(event.type, std::uint32_t{CSS_EVENT_ACTIVE});
    at(1).groups->stop();
    at(1).server.reset();
    EXPECT_EQ(wait_for_event(css, &event), -ECONNRESET);
    EXPECT_EQ(css_get_membership(css, &membership), -ECONNRESET);
    css_disconnect(css);
}

TEST_F(ThreeNodes, ManyThreadsOnOneHandle) {
    complete({1, 2, 3});
    css_t* css = connect(2);
    ASSERT_EQ(css_register_self(css), 0);
    std::vector<std::thread> threads;
    std::atomic<int> failed = 0;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, group = "g" + std::to_string(t)] {
            failed += css_group_join(css, group.c_str(), "a", 1, nullptr, kMinute) != 0 ? 1 : 0;
            for (int i = 0; i < 50; ++i) {
                failed += css_group_publish(css, group.c_str(), "b", 1, kMinute) != 0 ? 1 : 0;
                failed += css_event_fd(css) < 0 ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failed, 0);
    css_disconnect(css);
}

/// A cgroup as the member: killed as a whole, gone when it is empty.
TEST_F(ThreeNodes, ACgroupIsKilledAsAMember) {
    complete({1, 2});
    for (const auto kind : {client::CgroupKind::kV2, client::CgroupKind::kV1Freezer}) {
        const auto cgroup = TestCgroup::make(kind);
        if (!cgroup) {
            continue;
        }
        Process program = Process::sleeper();
        cgroup->add(program.pid());
        Member supervisor{run_dir(2), "g", {"--cgroup", cgroup->path()}};
        const std::string target = std::to_string(supervisor.join());
        Member watcher{run_dir(1), "g"};
        watcher.join();
        EXPECT_EQ(watcher.ask("kill " + target), "0");
        const std::string left = "event " + std::to_string(CSS_EVENT_LEFT) + " g ";
        const std::string heard = watcher.hear(left);
        EXPECT_NE(heard.find(" " + target + " 2 3 0"), std::string::npos) << heard;
        EXPECT_EQ(WTERMSIG(program.wait()), SIGKILL);
        EXPECT_TRUE(supervisor.process().is_alive());
        EXPECT_EQ(supervisor.ask("publish x"), std::to_string(-ENOENT));
    }
}

/// What comes to the socket from somebody who does not keep to the protocol harms nobody else.
TEST_F(ThreeNodes, AClientThatReadsNothingHoldsUpNobody) {
    complete({1});
    css_t* silent = connect(1);
    ASSERT_EQ(css_register_self(silent), 0);
    ASSERT_GE(css_event_fd(silent), 0);
    ASSERT_EQ(css_group_join(silent, "g", nullptr, 0, nullptr, kMinute), 0);
    css_t* other = connect(1);
    ASSERT_EQ(css_register_self(other), 0);
    ASSERT_EQ(css_group_join(other, "g", nullptr, 0, nullptr, kMinute), 0);
    const std::vector<char> data(CSS_DATA_MAX);
    for (int i = 0; i < 2000; ++i) {
        ASSERT_EQ(css_group_publish(other, "g", data.data(), data.size(), kMinute), 0);
    }
    css_disconnect(silent);
    css_disconnect(other);
}

}  // namespace
}  // namespace css::testing
