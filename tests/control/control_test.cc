#include "cssd/runtime/control.h"

#include <algorithm>
#include <array>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cssd/runtime/control_client.h"
#include "cssd/runtime/control_socket.h"
#include "tests/control/memory_backend.h"
#include "tests/control/temporary_directory.h"

namespace css::runtime {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr std::chrono::seconds kLong{60};

class ControlTest : public testing::Test {
protected:
    void start(ControlOptions options = {}) {
        options.run_dir = directory_.path();
        auto started = ControlServer::start(options, backend_);
        ASSERT_TRUE(started) << started.error().message;
        server_ = std::move(*started);
    }
    [[nodiscard]] ControlClient connect() const {
        auto client = ControlClient::connect(directory_.path());
        EXPECT_TRUE(client);
        return std::move(*client);
    }
    static json ask(ControlClient& client, const json& request) {
        EXPECT_TRUE(client.send(request));
        auto answer = client.receive(kLong);
        EXPECT_TRUE(answer) << answer.error().message;
        return answer ? *answer : json{};
    }
    /// A plain connection that sends these bytes and says nothing else.
    [[nodiscard]] int raw(std::string_view bytes) const {
        const auto address = control_address(directory_.path());
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::connect(fd, as_sockaddr(*address), sizeof(sockaddr_un)), 0);
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                break;  // Refused in the middle, as it should be.
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return fd;
    }
    /// Everything until the server ends the connection.
    static std::string read_all(int fd) {
        std::string text;
        std::array<char, 4096> part{};
        for (ssize_t n = 1; n > 0;) {
            n = ::recv(fd, part.data(), part.size(), 0);
            text.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        }
        ::close(fd);
        return text;
    }

    TemporaryDirectory directory_;
    MemoryBackend backend_;
    std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlTest, AnswersQueriesAndChanges) {
    start();
    auto client = connect();
    EXPECT_EQ(ask(client, {{"request", "view"}})["parameters"]["misscount_ms"], 30'000);
    const auto answer =
        ask(client, {{"request", "set"}, {"parameter", "misscount"}, {"value", "50"}});
    EXPECT_EQ(answer, (json{{"ok", true}}));
    EXPECT_EQ(ask(client, {{"request", "view"}})["parameters"]["misscount_ms"], 50'000);
    EXPECT_EQ(ask(client, {{"request", "unset"}, {"parameter", "misscount"}})["ok"], true);
    EXPECT_EQ(ask(client, {{"request", "view"}})["parameters"]["misscount_ms"], 30'000);
}

TEST_F(ControlTest, ASlowRequestBlocksNobodyElse) {
    start();
    backend_.hold();
    auto slow = connect();
    ASSERT_TRUE(slow.send({{"request", "evict"}, {"node", "n3"}}));
    auto other = connect();
    EXPECT_EQ(ask(other, {{"request", "view"}})["ok"], true);
    EXPECT_EQ(slow.receive(milliseconds{50}).error().system_errno, ETIMEDOUT);
    while (backend_.held() == 0) {
        std::this_thread::yield();
    }
    backend_.release(core::RequestResult::kStopped);
    const auto answer = slow.receive(kLong);
    ASSERT_TRUE(answer);
    EXPECT_THAT((*answer)["error"].get<std::string>(), HasSubstr("stopped before"));
}

TEST_F(ControlTest, ACompletionAfterTheServerIsIgnored) {
    start();
    backend_.hold();
    auto client = connect();
    ASSERT_TRUE(client.send({{"request", "stop"}}));
    while (backend_.held() == 0) {
        std::this_thread::yield();
    }
    server_.reset();
    backend_.release(core::RequestResult::kDone);
    EXPECT_FALSE(client.receive(kLong));
}

TEST_F(ControlTest, TheAnswerToStopIsSentBeforeTheEnd) {
    start();
    backend_.hold();
    auto client = connect();
    ASSERT_TRUE(client.send({{"request", "stop"}}));
    while (backend_.held() == 0) {
        std::this_thread::yield();
    }
    backend_.release(core::RequestResult::kDone);
    server_.reset();
    const auto answer = client.receive(kLong);
    ASSERT_TRUE(answer);
    EXPECT_EQ((*answer)["ok"], true);
    EXPECT_TRUE(client.wait_closed(kLong));
    EXPECT_FALSE(std::filesystem::exists(control_path(directory_.path())));
}

TEST_F(ControlTest, MalformedAndHugeRequestsEndOnlyTheirConnection) {
    start();
    auto good = connect();
    EXPECT_THAT(read_all(raw("no json\n")), HasSubstr("no JSON object"));
    EXPECT_THAT(read_all(raw("[1,2]\n")), HasSubstr("no JSON object"));
    EXPECT_THAT(read_all(raw("{\"request\":\n")), HasSubstr("no JSON object"));
    EXPECT_THAT(read_all(raw(std::string(1U << 10, '[') + "\n")), HasSubstr("no JSON object"));
    EXPECT_THAT(read_all(raw(std::string(60'000, '[') + "\n")), HasSubstr("no JSON object"));
    EXPECT_THAT(read_all(raw(std::string("\0\xff\n", 3))), HasSubstr("no JSON object"));
    // Its end may be reset, because the server did not read all of it.
    static_cast<void>(read_all(raw(std::string(4U << 20, 'x'))));
    for (const json& request : {json{{"request", "format"}},
                                json{{"request", 7}},
                                json::object(),
                                json{{"request", "set"}, {"parameter", "colour"}},
                                json{{"request", "set_log"}, {"level", "loud"}},
                                json{{"request", "evict"}, {"node", "n9"}},
                                json{{"request", "evict"}}}) {
        EXPECT_EQ(ask(good, request)["ok"], false) << request;
    }
    EXPECT_EQ(ask(good, {{"request", "view"}})["ok"], true);
    EXPECT_EQ(backend_.submitted(), 0U);
}

TEST_F(ControlTest, AnswersWhatCameBeforeTheEndOfInput) {
    start();
    const int fd = raw("{\"request\":\"view\"}\n{\"request\":\"history\"}\n");
    ASSERT_EQ(::shutdown(fd, SHUT_WR), 0);
    const std::string text = read_all(fd);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

/// A client that sends many requests and reads none gets all its answers once it reads.
TEST_F(ControlTest, APipelineIsAnsweredAsFastAsItIsRead) {
    start();
    constexpr int kCount = 500;  // Several times what may wait unread.
    auto client = connect();
    std::thread sender{[&client] {
        for (int i = 0; i < kCount; ++i) {
            ASSERT_TRUE(client.send({{"request", "view"}}));
        }
    }};
    auto reader = connect();
    EXPECT_EQ(ask(reader, {{"request", "view"}})["ok"], true);
    for (int i = 0; i < kCount; ++i) {
        ASSERT_TRUE(client.receive(kLong));
    }
    sender.join();
}

TEST_F(ControlTest, ASlowWatcherIsDropped) {
    start({.output_size_max = 64U << 10});
    auto slow = connect();
    EXPECT_EQ(ask(slow, {{"request", "watch"}})["ok"], true);
    auto quick = connect();
    EXPECT_EQ(ask(quick, {{"request", "watch"}})["ok"], true);
    Event event{.type = "decided", .reason = std::string(10'000, 'r')};
    while (server_->slow_clients_dropped() == 0) {
        ++event.incarnation;
        server_->publish(event);
        const auto seen = quick.receive(kLong);
        ASSERT_TRUE(seen);
        EXPECT_EQ((*seen)["incarnation"], event.incarnation);
        ASSERT_LT(event.incarnation, 10'000U);
    }
    EXPECT_TRUE(slow.wait_closed(kLong));
    EXPECT_EQ(server_->slow_clients_dropped(), 1U);
}

TEST_F(ControlTest, TwoHundredClients) {
    start();
    std::vector<ControlClient> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(connect());
        EXPECT_EQ(ask(clients.back(), {{"request", "watch"}})["ok"], true);
    }
    server_->publish({.type = "complete", .incarnation = 9});
    for (auto& client : clients) {
        const auto event = client.receive(kLong);
        ASSERT_TRUE(event);
        EXPECT_EQ((*event)["incarnation"], 9);
    }
}

TEST_F(ControlTest, ClientsBeyondTheLimitAreTurnedAway) {
    start({.clients_max = 2});
    auto first = connect();
    auto second = connect();
    EXPECT_EQ(ask(first, {{"request", "view"}})["ok"], true);
    EXPECT_EQ(ask(second, {{"request", "view"}})["ok"], true);
    auto third = connect();
    EXPECT_TRUE(third.wait_closed(kLong));
    EXPECT_EQ(ask(first, {{"request", "view"}})["ok"], true);
}

TEST_F(ControlTest, OneServerForEachRunDirAndAStaleSocketIsReplaced) {
    start();
    auto again = ControlServer::start({.run_dir = directory_.path()}, backend_);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kConflict);
    server_.reset();
    const int stale = ::open(control_path(directory_.path()).c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(stale, 0);
    ::close(stale);
    start();
    auto client = connect();
    EXPECT_EQ(ask(client, {{"request", "view"}})["ok"], true);
}

TEST_F(ControlTest, ALongRunDirIsRefused) {
    EXPECT_FALSE(ControlClient::connect("/tmp/" + std::string(120, 'x')));
    const auto refused = control_address(std::string(120, 'x'));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("too long"));
}

/// What `nobody` gets for a request; exit codes: 0 refused as it should be, 1 otherwise.
int try_as_nobody(const std::string& run_dir, const json& request, const std::string& wanted) {
    constexpr uid_t kNobody = 65534;
    if (::setuid(kNobody) != 0) {
        return 2;
    }
    auto client = ControlClient::connect(run_dir);
    if (!client || !client->send(request)) {
        return 3;
    }
    const auto answer = client->receive(kLong);
    return answer && answer->dump().find(wanted) != std::string::npos ? 0 : 1;
}

TEST_F(ControlTest, OnlyRootAndTheDaemonsUserMayChange) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to become somebody else";
    }
    ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
    start();
    const std::vector<std::pair<json, std::string>> cases{
        {{{"request", "view"}}, "\"ok\":true"},
        {{{"request", "history"}}, "\"ok\":true"},
        {{{"request", "set"}, {"parameter", "misscount"}, {"value", "50"}}, "CRS-4563"},
        {{{"request", "unset"}, {"parameter", "misscount"}}, "CRS-4563"},
        {{{"request", "evict"}, {"node", "n2"}}, "CRS-4563: Insufficient user privileges."},
        {{{"request", "stop"}}, "CRS-4563"},
        {{{"request", "stop_cluster"}}, "CRS-4563"},
        {{{"request", "enable"}}, "CRS-4563"},
        {{{"request", "disable"}}, "CRS-4563"},
        {{{"request", "set_log"}, {"level", "4"}}, "CRS-4563"},
        {{{"request", "set_critical"}, {"value", "yes"}}, "CRS-4563"}};
    for (const auto& [request, wanted] : cases) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::_exit(try_as_nobody(directory_.path(), request, wanted));
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << request;
    }
    EXPECT_EQ(backend_.submitted(), 0U);
    EXPECT_TRUE(backend_.saved().empty());
}

TEST_F(ControlTest, ModesAreSavedForLater) {
    start();
    auto client = connect();
    EXPECT_EQ(ask(client, {{"request", "disable"}})["ok"], true);
    EXPECT_EQ(ask(client, {{"request", "set_critical"}, {"value", "yes"}})["ok"], true);
    const auto view = ask(client, {{"request", "view"}});
    EXPECT_EQ(view["start_mode"], "disabled");
    EXPECT_EQ(view["css_critical"], true);
    EXPECT_EQ(view["weight"], 1001);
    EXPECT_EQ(ask(client, {{"request", "set_critical"}, {"value", "no"}})["ok"], true);
    EXPECT_EQ(ask(client, {{"request", "view"}})["weight"], 1);
    const std::vector<std::pair<std::string, std::string>> expected{
        {"start_mode", "disabled"}, {"weight", "1001"}, {"weight", "1"}};
    EXPECT_EQ(backend_.saved(), expected);
}

TEST_F(ControlTest, MemberStates) {
    using core::NodeView;
    struct Case {
        NodeView node;
        const char* state;
    };
    const Instant now = backend_.view().now.boot;
    const auto ago = [now](milliseconds age) { return now - age; };
    NodeView active;
    active.unique = Unique{1};
    active.state = NodeState::kActive;
    active.listed = true;
    const auto with = [&](auto edit) {
        NodeView node = active;
        node.heard_network = now;
        edit(node);
        return node;
    };
    for (const auto& [node, state] : std::initializer_list<Case>{
             {with([](NodeView&) {}), "ONLINE"},
             {with([&](NodeView& n) { n.heard_network = ago(milliseconds{5000}); }), "ONLINE"},
             {with([&](NodeView& n) { n.heard_network = ago(milliseconds{5001}); }), "UNREACHABLE"},
             {with([](NodeView& n) { n.heard_network = kNever; }), "UNREACHABLE"},
             {with([](NodeView& n) {
                  n.evicting = true;
                  n.listed = false;
              }),
              "EVICTING"},
             {with([](NodeView& n) { n.state = NodeState::kLeft; }), "LEFT"},
             {with([](NodeView& n) { n.state = NodeState::kFenced; }), "FENCED"},
             {with([](NodeView& n) {
                  n.state = NodeState::kJoining;
                  n.listed = false;
              }),
              "JOINING"},
             {with([&](NodeView& n) {
                  n.state = NodeState::kJoining;
                  n.listed = false;
                  n.heard_network = ago(milliseconds{30'001});
              }),
              "OFFLINE"},
             {NodeView{}, "OFFLINE"}}) {
        backend_.change([&node = node](DaemonView& v) { v.status.nodes[NodeNumber{2}] = node; });
        EXPECT_EQ(member_state(backend_.view(), NodeNumber{2}), state);
    }
    backend_.change([&](DaemonView& v) {
        v.status.newest.parameters.misscount = milliseconds{600};
        v.status.nodes[NodeNumber{2}] =
            with([&](NodeView& n) { n.heard_network = ago(milliseconds{101}); });
    });
    EXPECT_EQ(member_state(backend_.view(), NodeNumber{2}), "UNREACHABLE");
}

}  // namespace
}  // namespace css::runtime
