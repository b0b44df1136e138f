#include "cssd/runtime/key_change.h"

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "cssd/runtime/clock.h"
#include "netbeat/wire/seal.h"
#include "tests/e2e/harness/scratch.h"
#include "tests/runtime/answer.h"

namespace css::runtime {
namespace {

using netbeat::Key;
using What = AgreementMessage::What;

/// Daemons that have nothing but this part, each with key files of its own. What they say is sealed
/// with their keys, and what does not open at the other end is noted.
class KeyChangeTest : public ::testing::Test {
protected:
    struct Daemon {
        std::shared_ptr<netbeat::KeyRing> keys;
        std::unique_ptr<netbeat::Sealer> sealer;
        std::unique_ptr<KeyChange> change;
    };
    using Datagram = std::vector<std::byte>;

    KeyChangeTest() { log_ = Log::open({.directory = scratch_ + "/log"}).value(); }
    ~KeyChangeTest() override {
        for (auto& [n, daemon] : daemons_) {
            daemon.change->stop();
        }
        e2e::remove_scratch(scratch_);
    }

    /// Nodes 1 to `count`, all with the same key file.
    void make(unsigned count) {
        create(path(1));
        for (unsigned n = 2; n <= count; ++n) {
            copy(path(1), path(n));
        }
        for (unsigned n = 1; n <= count; ++n) {
            daemons_[n];  // Nobody adds to the map while threads look into it.
        }
        for (unsigned n = 1; n <= count; ++n) {
            start(n);
        }
    }
    void start(unsigned n) {
        Daemon& daemon = daemons_.at(n);
        daemon.keys = std::make_shared<netbeat::KeyRing>(key_in(path(n)));
        daemon.sealer = std::make_unique<netbeat::Sealer>(ClusterGuid{}, daemon.keys);
        KeyChange::Parts parts{
            .key_file = path(n), .keys = *daemon.keys, .log = *log_, .agreement = {}};
        parts.times = times_;
        parts.agreement.self = NodeNumber{n};
        parts.agreement.send = [this, n](NodeNumber to, const std::vector<std::byte>& message) {
            send(n, to.value(), message);
        };
        parts.agreement.members = [this] {
            NodeSet members;
            for (const auto& [node, ignored] : daemons_) {
                members.insert(NodeNumber{node});
            }
            return members;
        };
        parts.agreement.node_name = [](NodeNumber node) {
            return "node" + std::to_string(node.value());
        };
        daemon.change = std::make_unique<KeyChange>(std::move(parts));
        ASSERT_TRUE(daemon.change->start());
    }
    /// Dies, and starts with what is in its files.
    void restart(unsigned n) {
        daemons_.at(n).change->stop();
        start(n);
    }

    void send(unsigned from, unsigned to, const std::vector<std::byte>& message) {
        const What what = decode_agreement(message)->what;
        on_sent(what);
        const std::lock_guard lock{mutex_};
        if (lost_.contains(what)) {
            return;
        }
        Datagram datagram(netbeat::kUnfragmentedMax);
        datagram.resize(
            daemons_.at(from).sealer->seal_message(NodeNumber{from}, message, datagram));
        if (what == What::kTake) {
            a_take_ = datagram;
        }
        arrive(from, to, datagram);
    }
    void arrive(unsigned from, unsigned to, const Datagram& datagram) {
        Daemon& daemon = daemons_.at(to);
        Datagram plain(netbeat::kMessageSizeMax);
        if (daemon.sealer->open_message(datagram, NodeNumber{from}, plain) !=
            netbeat::DatagramVerdict::kAccepted) {
            ++not_understood_;
            return;
        }
        plain.resize(datagram.size() - netbeat::kSealOverhead);
        daemon.change->received(NodeNumber{from}, plain);
    }
    /// What has been said does not tell that everybody holds the next key before everybody does.
    void on_sent(What what) {
        for (const auto& [n, daemon] : daemons_) {
            const auto keys = daemon.keys->keys();
            if (what == What::kTake && !keys.next && !keys.former) {
                ++premature_;
            }
            if (what == What::kAsk && keys.former) {
                ++premature_;
            }
        }
    }

    /// A heartbeat of one node at another.
    bool hears(unsigned to, unsigned from) {
        netbeat::Heartbeat heartbeat;
        heartbeat.sender = {NodeNumber{from}, Unique{7}};
        heartbeat.sequence = Sequence{1};
        heartbeat.record.parameters = Parameters{};
        Datagram datagram(netbeat::kDatagramSizeMax);
        datagram.resize(daemons_.at(from).sealer->seal(heartbeat, datagram));
        return daemons_.at(to).sealer->open(datagram, NodeNumber{from}, heartbeat) ==
               netbeat::DatagramVerdict::kAccepted;
    }

    [[nodiscard]] std::string path(unsigned n) const {
        return scratch_ + "/cluster.key." + std::to_string(n);
    }
    [[nodiscard]] std::string next_path(unsigned n) const { return path(n) + ".new"; }
    static void create(const std::string& path) {
        ASSERT_TRUE(netbeat::create_key_file(path)) << path;
    }
    static void copy(const std::string& from, const std::string& to) {
        std::filesystem::copy_file(from, to);
    }
    static Key key_in(const std::string& path) { return netbeat::load_key_file(path).value(); }
    /// The operator's part: one new key on all these nodes.
    Key put_next(const std::set<unsigned>& nodes) {
        const std::string first = next_path(*nodes.begin());
        create(first);
        for (const unsigned n : nodes) {
            if (next_path(n) != first) {
                copy(first, next_path(n));
            }
        }
        return key_in(first);
    }

    nlohmann::json replace(unsigned n) {
        return answer_of([&](const auto& done) { daemons_.at(n).change->replace(done); });
    }
    std::string refusal(unsigned n) {
        return refusal_of([&](const auto& done) { daemons_.at(n).change->replace(done); });
    }
    netbeat::KeyRing::Keys keys_of(unsigned n) { return daemons_.at(n).keys->keys(); }
    bool holds(unsigned n) { return keys_of(n).next.has_value(); }
    bool has_taken(unsigned n, const Key& key) {
        return keys_of(n).sealing == key && std::filesystem::exists(path(n)) &&
               netbeat::load_key_file(path(n)) && key_in(path(n)) == key &&
               !std::filesystem::exists(next_path(n));
    }
    void expect_unchanged(const Key& key) {
        for (const auto& [n, daemon] : daemons_) {
            EXPECT_TRUE(keys_of(n).sealing == key) << n;
            EXPECT_TRUE(key_in(path(n)) == key) << n;
        }
    }
    /// Whether it comes true in time.
    static bool eventually(const std::function<bool()>& holds) {
        const Instant deadline = boot_now() + std::chrono::seconds{20};
        while (!holds() && boot_now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
        return holds();
    }
    std::string alerts() {
        log_.reset();  // Writes what is queued.
        return alerts_written();
    }
    [[nodiscard]] std::string alerts_written() const {
        std::ifstream file{scratch_ + "/log/alert.log"};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    void stop_all() {
        for (auto& [n, daemon] : daemons_) {
            daemon.change->stop();
        }
    }

    const std::string scratch_ = e2e::make_scratch();
    std::unique_ptr<Log> log_;
    KeyChange::Times times_{.look = std::chrono::milliseconds{20}};
    std::map<unsigned, Daemon> daemons_;
    std::atomic<unsigned> not_understood_ = 0;
    std::atomic<unsigned> premature_ = 0;
    std::mutex mutex_;  ///< Guards the next two.
    std::set<What> lost_;
    Datagram a_take_;
};

TEST_F(KeyChangeTest, AllGoOnWithTheSameKey) {
    times_.former_counts = std::chrono::seconds{1};
    make(3);
    const Key former = key_in(path(1));
    const Key next = put_next({1, 2, 3});
    const nlohmann::json answer = replace(2);
    EXPECT_TRUE(answer.at("ok")) << answer;
    EXPECT_EQ(answer.at("fingerprint").get<std::string>().size(), 16U);
    for (const unsigned n : {1U, 2U, 3U}) {
        EXPECT_TRUE(has_taken(n, next)) << n;
    }
    EXPECT_EQ(premature_, 0U);
    EXPECT_EQ(not_understood_, 0U);
    for (const unsigned n : {1U, 2U, 3U}) {
        EXPECT_TRUE(eventually([&] { return !keys_of(n).former; })) << n;
        EXPECT_TRUE(keys_of(n).sealing == next) << n;
    }
    EXPECT_FALSE(former == next);
}

TEST_F(KeyChangeTest, SixteenNodes) {
    make(16);
    std::set<unsigned> all;
    for (unsigned n = 1; n <= 16; ++n) {
        all.insert(n);
    }
    const Key next = put_next(all);
    EXPECT_TRUE(replace(16).at("ok"));
    for (const unsigned n : all) {
        EXPECT_TRUE(has_taken(n, next)) << n;
    }
    EXPECT_EQ(premature_, 0U);
    EXPECT_EQ(not_understood_, 0U);
}

TEST_F(KeyChangeTest, WhoLacksItIsNamedAndNobodyMoves) {
    make(3);
    const Key key = key_in(path(1));
    EXPECT_EQ(refusal(1),
              next_path(1) + ": there is no such file; put the same next key there on every node");
    put_next({1, 2});
    EXPECT_EQ(refusal(1),
              "node node3: " + next_path(3) +
                  ": there is no such file; put the same next key there on every node. Nothing "
                  "was changed.");
    expect_unchanged(key);
}

TEST_F(KeyChangeTest, WhoHasAnotherIsNamedByFingerprintsAlone) {
    make(3);
    const Key key = key_in(path(1));
    put_next({1, 3});
    create(next_path(2));
    const std::string why = refusal(1);
    EXPECT_NE(why.find("The keys differ: '" + next_path(1) + " with fingerprint "),
              std::string::npos)
        << why;
    EXPECT_NE(why.find("' here and '" + next_path(2) + " with fingerprint "), std::string::npos)
        << why;
    EXPECT_NE(why.find("' on node node2. Nothing was changed."), std::string::npos) << why;
    for (const unsigned n : {1U, 2U}) {
        std::string text;
        std::ifstream{next_path(n)} >> text;
        ASSERT_EQ(text.size(), 64U);
        for (std::size_t i = 0; i + 8 <= text.size(); ++i) {
            EXPECT_EQ(why.find(text.substr(i, 8)), std::string::npos) << "a part of a key is shown";
        }
    }
    expect_unchanged(key);
}

TEST_F(KeyChangeTest, ANextKeyIsCheckedAsAKeyIs) {
    make(2);
    const Key key = key_in(path(1));
    put_next({1, 2});
    std::filesystem::permissions(next_path(2), std::filesystem::perms{0640});
    EXPECT_NE(refusal(1).find("node node2: " + next_path(2) + ": the key file is open to group"),
              std::string::npos);
    expect_unchanged(key);
    for (const unsigned n : {1U, 2U}) {
        std::filesystem::remove(next_path(n));
        copy(path(n), next_path(n));
    }
    EXPECT_EQ(refusal(1), next_path(1) + ": this is the key in use");
}

TEST_F(KeyChangeTest, AskedAgainItAnswersTheSame) {
    times_.former_counts = std::chrono::seconds{5};
    make(2);
    const Key next = put_next({1, 2});
    const nlohmann::json answer = replace(1);
    EXPECT_TRUE(answer.at("ok"));
    EXPECT_EQ(replace(1), answer);
    EXPECT_EQ(replace(2), answer);
    // Another one has to wait until the former one counts no more.
    put_next({1, 2});
    EXPECT_NE(refusal(1).find("the former one counts still"), std::string::npos);
    EXPECT_TRUE(keys_of(2).sealing == next);
    EXPECT_TRUE(eventually([&] { return !keys_of(1).former && !keys_of(2).former; }));
    EXPECT_NE(replace(1), answer);
    EXPECT_FALSE(keys_of(2).sealing == next);
}

TEST_F(KeyChangeTest, TwoOperatorsAtOnce) {
    make(3);
    const Key next = put_next({1, 2, 3});
    std::promise<nlohmann::json> first;
    std::promise<nlohmann::json> second;
    daemons_.at(1).change->replace([&](const nlohmann::json& a) { first.set_value(a); });
    daemons_.at(2).change->replace([&](const nlohmann::json& a) { second.set_value(a); });
    const nlohmann::json answer = first.get_future().get();
    EXPECT_TRUE(answer.at("ok")) << answer;
    EXPECT_EQ(second.get_future().get(), answer);
    for (const unsigned n : {1U, 2U, 3U}) {
        EXPECT_TRUE(has_taken(n, next)) << n;
        EXPECT_EQ(daemons_.at(n).keys->moves(), 1U) << n;
    }
}

/// 1. All hold the next key. 2. Node 1 moves, and dies before anybody is told. 3. Node 2 dies, too.
/// Whoever starts is understood, and understands: the others follow what they hear.
TEST_F(KeyChangeTest, WhoeverDiesBetweenTheSteps) {
    make(3);
    const Key next = put_next({1, 2, 3});
    lost_ = {What::kTake};
    std::promise<nlohmann::json> answer;
    daemons_.at(1).change->replace([&](const nlohmann::json& a) { answer.set_value(a); });
    ASSERT_TRUE(eventually([&] { return keys_of(1).sealing == next; }));
    restart(1);
    EXPECT_FALSE(answer.get_future().get().at("ok"));
    EXPECT_FALSE(keys_of(1).former || keys_of(1).next) << "its files have the next key alone";
    restart(2);
    EXPECT_FALSE(keys_of(2).sealing == next);
    EXPECT_TRUE(eventually([&] { return holds(2); })) << "it holds what lies there from the start";

    EXPECT_FALSE(hears(1, 2)) << "node 2 has not heard of the move yet";
    EXPECT_TRUE(hears(2, 3) && hears(3, 2));
    EXPECT_TRUE(hears(2, 1)) << "it follows";
    EXPECT_TRUE(hears(1, 2));
    EXPECT_TRUE(hears(2, 3)) << "the former key counts still";
    EXPECT_TRUE(hears(3, 2)) << "it follows one that has followed";
    EXPECT_TRUE(hears(1, 3));
    for (const unsigned n : {2U, 3U}) {
        EXPECT_TRUE(eventually([&] { return has_taken(n, next); })) << n;
    }
}

TEST_F(KeyChangeTest, AFileThatCannotBeReplacedIsTold) {
    make(2);
    const Key former = key_in(path(2));
    const Key next = put_next({1, 2});
    std::filesystem::rename(path(2), path(2) + ".aside");
    std::filesystem::create_directory(path(2));
    const std::string why = refusal(1);
    EXPECT_NE(why.find("node node2: " + path(2) + ": cannot be replaced by " + next_path(2)),
              std::string::npos)
        << why;
    EXPECT_NE(why.find("The former key may be in use there still"), std::string::npos) << why;
    // In memory it has followed; in its files it does as soon as it can.
    EXPECT_TRUE(hears(1, 2) && hears(2, 1));
    const std::string told =
        "CRS-1657: Warning: the key was replaced, but not in its file: " + path(2) +
        ": cannot be replaced by";
    EXPECT_TRUE(eventually([&] { return alerts_written().find(told) != std::string::npos; }));
    std::filesystem::remove(path(2));
    EXPECT_TRUE(eventually([&] { return has_taken(2, next); }));
    EXPECT_EQ(replace(2).at("ok"), true);
    stop_all();
    EXPECT_NE(alerts().find(told), std::string::npos);
    EXPECT_FALSE(former == next);
}

/// A node that holds a third key is not brought to it by an old message about the second.
TEST_F(KeyChangeTest, WhatWasSaidAboutAFormerChangeMovesNobody) {
    times_.former_counts = std::chrono::milliseconds{50};
    make(3);
    const Key second = put_next({1, 2, 3});
    ASSERT_TRUE(replace(1).at("ok"));
    for (const unsigned n : {1U, 2U, 3U}) {
        ASSERT_TRUE(eventually([&] { return !keys_of(n).former; }));
    }
    const Key third = put_next({1, 2});
    EXPECT_NE(refusal(1).find("node node3: "), std::string::npos);
    // Node 3 may have refused before node 2 came to read its own.
    ASSERT_TRUE(eventually([&] { return holds(2); }));
    arrive(1, 2, a_take_);
    EXPECT_EQ(not_understood_, 0U) << "it is authentic";
    // It has been looked at when a question that came after it is answered.
    EXPECT_NE(refusal(2).find("node node3: "), std::string::npos);
    EXPECT_TRUE(keys_of(2).sealing == second);
    EXPECT_TRUE(keys_of(2).next && *keys_of(2).next == third);
}

TEST_F(KeyChangeTest, WhatIsTakenAwayCountsNoMore) {
    make(3);
    put_next({1, 2});
    EXPECT_NE(refusal(1).find("node node3: "), std::string::npos);
    ASSERT_TRUE(eventually([&] { return holds(1) && holds(2); }));
    std::filesystem::remove(next_path(1));
    EXPECT_TRUE(eventually([&] { return !holds(1); }));
    EXPECT_TRUE(holds(2));
}

/// It was away when the key was replaced.
TEST_F(KeyChangeTest, WhoUnderstandsNobodySaysSoAndTakesWhatIsPutThere) {
    make(2);
    std::filesystem::remove(path(1));
    create(path(1));
    restart(1);
    EXPECT_FALSE(hears(2, 1));
    daemons_.at(2).change->unopened(NodeNumber{1});
    daemons_.at(2).change->unopened(NodeNumber{1});
    EXPECT_NE(refusal(2).find("there is no such file"), std::string::npos);
    const std::string line =
        "CRS-1657: Warning: datagrams of node node1 (1) are not sealed with "
        "the key of " +
        path(2) + ", fingerprint ";
    EXPECT_TRUE(eventually([&] { return alerts_written().find(line) != std::string::npos; }));
    copy(path(1), next_path(2));
    daemons_.at(2).change->unopened(NodeNumber{1});
    EXPECT_TRUE(eventually([&] { return holds(2); }));
    EXPECT_TRUE(hears(2, 1));
    EXPECT_TRUE(eventually([&] { return has_taken(2, key_in(path(1))); }));
    stop_all();
    const std::string told = alerts();
    const auto at = told.find(line);
    ASSERT_NE(at, std::string::npos) << told;
    EXPECT_EQ(told.find(line, at + 1), std::string::npos) << "once is enough";
}

}  // namespace
}  // namespace css::runtime
