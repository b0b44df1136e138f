#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/client/css.h"
#include "cssd/client/message.h"
#include "kill_block/guardian/process.h"
#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

constexpr Duration kHour = std::chrono::hours{1};

struct Node {
    RunDir dir;
    Daemon daemon;
    css_t* css = nullptr;
    Node() : daemon(dir.start()) {
        EXPECT_FALSE(daemon.hear("ready").empty());
        EXPECT_EQ(css_connect(dir.path().c_str(), &css), 0);
    }
    ~Node() { css_disconnect(css); }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    Node(Node&&) = delete;
    Node& operator=(Node&&) = delete;
    void activate(std::uint64_t serial = 1, Duration lease = kHour) {
        ASSERT_TRUE(daemon.hold(serial, now() + lease, "am"));
    }
    /// So that an end of the daemon does not take this test along.
    void leave() { EXPECT_EQ(css_unregister_self(css), 0); }
};

TEST(Client, NobodyThere) {
    css_t* css = nullptr;
    EXPECT_EQ(css_connect("/nonexistent", &css), -ENOENT);
    EXPECT_EQ(css, nullptr);
    EXPECT_EQ(css_connect(std::string(200, 'x').c_str(), &css), -ENAMETOOLONG);
    EXPECT_EQ(css_may_act(nullptr, nullptr), 0);
    EXPECT_EQ(css_lease_left(nullptr), 0);
    css_disconnect(nullptr);
}

TEST(Client, OnlyARegisteredProcessOfAnActiveNodeMayAct) {
    Node node;
    std::uint64_t token = 99;
    EXPECT_EQ(css_may_act(node.css, &token), 0);
    EXPECT_EQ(css_wait_active(node.css, 0), -EPERM);
    node.activate(4);
    EXPECT_EQ(css_may_act(node.css, &token), 0);  // Active, but not registered.
    ASSERT_EQ(css_register_self(node.css), 0);
    EXPECT_EQ(css_register_self(node.css), -EALREADY);
    EXPECT_EQ(css_may_act(node.css, &token), 1);
    EXPECT_EQ(token, 4U);
    EXPECT_EQ(css_token(node.css), 4U);
    EXPECT_GT(css_lease_left(node.css), 0);
    EXPECT_LE(css_lease_left(node.css), kHour.count());
    EXPECT_EQ(css_wait_active(node.css, 0), 0);
    node.leave();
    EXPECT_EQ(css_may_act(node.css, &token), 0);
    EXPECT_EQ(css_unregister_self(node.css), -EINVAL);
    EXPECT_EQ(css_register_self(node.css), 0);  // Again.
    EXPECT_EQ(css_may_act(node.css, nullptr), 1);
    node.leave();
}

TEST(Client, AForkedChildIsNotRegistered) {
    Node node;
    node.activate();
    ASSERT_EQ(css_register_self(node.css), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = css_may_act(node.css, nullptr) == 0 && css_token(node.css) == 0 &&
                             css_lease_left(node.css) == 0 &&
                             css_register_self(node.css) == -EINVAL;
        css_disconnect(node.css);
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(css_may_act(node.css, nullptr), 1);
    node.leave();
}

TEST(Client, WaitActiveWakesWhenTheNodeBecomesActive) {
    Node node;
    ASSERT_EQ(css_register_self(node.css), 0);
    EXPECT_EQ(css_wait_active(node.css, 20'000'000), -ETIMEDOUT);
    int status = -1;
    std::thread waiter{[&] { status = css_wait_active(node.css, -1); }};
    node.activate();
    waiter.join();
    EXPECT_EQ(status, 0);
    node.leave();
}

TEST(Client, WaitActiveEndsWhenTheDaemonDies) {
    Node node;
    ASSERT_EQ(css_register_self(node.css), 0);
    int status = 0;
    std::thread waiter{[&] { status = css_wait_active(node.css, -1); }};
    node.daemon.signal(SIGKILL);  // Never armed: nobody is killed.
    waiter.join();
    EXPECT_EQ(status, -ECONNRESET);
    EXPECT_EQ(css_unregister_self(node.css), -ECONNRESET);
}

TEST(Client, TheLeaseEndsByItself) {
    Node node;
    ASSERT_EQ(css_register_self(node.css), 0);
    // Shown on the page but not armed, so that this test survives its end.
    const Instant end = now() + milliseconds{150};
    ASSERT_TRUE(node.daemon.hold(1, end, "m"));
    node.daemon.signal(SIGSTOP);
    while (css_may_act(node.css, nullptr) == 1) {
        ASSERT_LT(now(), end + milliseconds{100});
    }
    EXPECT_GE(now(), end);
    EXPECT_EQ(css_lease_left(node.css), 0);
}

TEST(Client, AFenceRevokesThePageAndANewDaemonDoesNotMakeItValidAgain) {
    Node node;
    ASSERT_EQ(css_register_self(node.css), 0);
    node.activate();
    EXPECT_EQ(css_may_act(node.css, nullptr), 1);
    // Out of the guardians' lists behind the library's back: registered in its eyes, not killed.
    node.daemon.tell("dismiss 2");
    node.daemon.tell("clients");
    ASSERT_FALSE(node.daemon.hear("left").empty());  // So the guardians will read it first.
    node.daemon.signal(SIGKILL);
    Daemon next = node.dir.start();
    ASSERT_FALSE(next.hear("ready").empty());
    EXPECT_EQ(css_may_act(node.css, nullptr), 0);
    ASSERT_TRUE(next.hold(1, now() + kHour, "am"));
    EXPECT_EQ(css_may_act(node.css, nullptr), 0);
    EXPECT_EQ(css_wait_active(node.css, -1), -ECONNRESET);
}

TEST(Client, NobodyCanRegisterSomebodyElse) {
    Node node;
    const Process victim = Process::sleeper();
    const UniqueFd pidfd{guardian::open_pidfd(victim.pid())};
    const UniqueFd connection{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (node.dir.path() + "/client.sock").c_str());
    ASSERT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const auto ask = [&](client::Kind kind, int descriptor) {
        client::MessageBytes bytes = client::encode(kind, 0);
        iovec part{bytes.at, sizeof bytes.at};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        if (descriptor >= 0) {
            header.msg_control = control.data();
            header.msg_controllen = control.size();
            cmsghdr* c = CMSG_FIRSTHDR(&header);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
        }
        EXPECT_GT(sendmsg(connection.get(), &header, 0), 0);
        client::MessageBytes answer;
        const ssize_t got = recv(connection.get(), answer.at, sizeof answer.at, 0);
        client::Message message;
        EXPECT_TRUE(client::decode(answer, static_cast<std::size_t>(got), message));
        return message.status;
    };
    EXPECT_EQ(ask(client::Kind::kRegister, pidfd.get()), -EPROTO);  // No hello yet.
    EXPECT_EQ(ask(client::Kind::kHello, -1), 0);
    EXPECT_EQ(ask(client::Kind::kRegister, pidfd.get()), -EPERM);
    EXPECT_EQ(ask(client::Kind::kRegister, -1), -EPERM);
    const UniqueFd self{guardian::open_pidfd(getpid())};
    EXPECT_EQ(ask(client::Kind::kRegister, self.get()), 0);
    EXPECT_EQ(ask(client::Kind::kUnregister, -1), 0);
}

/// The lines of a real client program: some, and none after the end.
TEST(Client, NoLineAfterTheEndOfAStoppedDaemon) {
    for (int run = 0; run < 5; ++run) {
        Node node;
        const std::string out = node.dir.path() + "/lines";
        Process program = Process::run({CSS_TEST_CLIENT,
                                        "--run-dir",
                                        node.dir.path(),
                                        "--node",
                                        "1",
                                        "--out",
                                        out,
                                        "--period-us",
                                        "500"});
        // Renewed until the program has registered and acts.
        std::uint64_t serial = 0;
        Instant end = now();
        while (std::ifstream{out}.peek() == std::ifstream::traits_type::eof()) {
            end = now() + std::chrono::seconds{5};
            ASSERT_TRUE(node.daemon.hold(++serial, end, "am"));
        }
        end = now() + milliseconds{100 + 10 * run};
        ASSERT_TRUE(node.daemon.hold(++serial, end, "am"));
        node.daemon.signal(SIGSTOP);
        ASSERT_NE(program.end_time(), kForever);
        // Killed by a guardian, or gone by itself: the page is revoked just before the kill.
        const int status = program.wait();
        EXPECT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 1);
        std::ifstream lines{out};
        std::int64_t time = 0;
        std::int64_t last = 0;
        std::uint64_t count = 0;
        for (std::string node_word, token; lines >> time >> node_word >> token; ++count) {
            EXPECT_EQ(node_word, "1");
            last = std::max(last, time);
        }
        EXPECT_GT(count, 10U);
        // Asked before, written after: what the scheduler put between is the only slack.
        EXPECT_LT(last, ns(end) + std::chrono::nanoseconds{milliseconds{20}}.count());
    }
}

TEST(Client, AskedToEndItEndsAndTheDrainIsOverAtOnce) {
    Node node;
    Process program = Process::run({CSS_TEST_CLIENT,
                                    "--run-dir",
                                    node.dir.path(),
                                    "--node",
                                    "1",
                                    "--out",
                                    node.dir.path() + "/lines"});
    node.activate();
    ASSERT_FALSE(node.daemon.hear("client").empty());
    node.daemon.tell("drain " + std::to_string(kHour.count()));
    node.daemon.tell("ask_to_end");
    EXPECT_EQ(node.daemon.hear("gone"), "gone");
    EXPECT_EQ(WTERMSIG(program.wait()), SIGTERM);
    EXPECT_EQ(css_register_self(node.css), -EAGAIN);
}

TEST(Client, MayActIsCheap) {
    Node node;
    ASSERT_EQ(css_register_self(node.css), 0);
    node.activate();
    constexpr int kCalls = 1000;
    std::vector<double> each;
    for (int round = 0; round < 200; ++round) {
        const Instant begin = now();
        int yes = 0;
        for (int i = 0; i < kCalls; ++i) {
            yes += css_may_act(node.css, nullptr);
        }
        each.push_back(static_cast<double>((now() - begin).count()) / kCalls);
        ASSERT_EQ(yes, kCalls);
    }
    std::nth_element(each.begin(), each.begin() + 100, each.end());
    std::printf("css_may_act: median %.1f ns\n", each[100]);
#ifndef CSS_SANITIZED
    EXPECT_LT(each[100], 1000.0);  // A tenth of the speed that is asked for.
#endif
    node.leave();
}

}  // namespace
}  // namespace css::testing
