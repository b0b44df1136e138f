#include "cssd/runtime/nodes_reload.h"

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "tests/e2e/harness/scratch.h"

namespace css::runtime {
namespace {

using Verdict = NodesMessage::Verdict;
using What = NodesMessage::What;

const std::string kTwo = "node1 10.0.0.1\nnode2 10.0.0.2\n";
const std::string kThree = kTwo + "node3 10.0.0.3\n";

TEST(NodesMessage, SaysTheSameWhenItIsReadAgainAndIsRefusedWhenCut) {
    NodesMessage message;
    message.what = What::kAnswer;
    message.verdict = Verdict::kDiffers;
    message.line = 3;
    message.id = 0x0123'4567'89AB'CDEF;
    message.fingerprint = 0xFEDC'BA98'7654'3210;
    message.lines = {1, 0xFFFF'FFFF, 3};
    message.text = "node3 10.0.0.3:5499";
    const std::vector<std::byte> bytes = encode(message);
    EXPECT_TRUE(is_nodes_message(bytes));
    EXPECT_EQ(decode_nodes_message(bytes), message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_EQ(decode_nodes_message(std::span{bytes}.first(size)), std::nullopt) << size;
    }
    std::vector<std::byte> longer = bytes;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decode_nodes_message(longer), std::nullopt);
}

TEST(NodesMessage, NobodyOutsideWritesIntoOurTerminals) {
    NodesMessage message;
    message.text = "\x1b[2Jgone";
    EXPECT_EQ(decode_nodes_message(encode(message))->text, "?[2Jgone");
}

/// Daemons that have nothing but this part, each with a nodes file of its own. Messages are passed
/// on at once, those of `lost` not.
class NodesReloadTest : public ::testing::Test {
protected:
    struct Daemon {
        netbeat::NodesFile current;
        unsigned taken = 0;
        std::unique_ptr<NodesReload> reload;
    };

    void SetUp() override {
        for (unsigned n = 1; n <= 2; ++n) {
            write(n, kTwo);
            daemons_[n].current = *netbeat::load_nodes_file(path(n));
        }
        for (unsigned n = 1; n <= 2; ++n) {
            start(n);
        }
    }
    void TearDown() override {
        for (auto& [n, daemon] : daemons_) {
            daemon.reload->stop();
        }
        e2e::remove_scratch(scratch_);
    }

    void start(unsigned n) {
        Daemon& daemon = daemons_[n];
        NodesReload::Parts parts;
        parts.path = path(n);
        parts.self = NodeNumber{n};
        parts.send = [this, n](NodeNumber to, const std::vector<std::byte>& message) {
            if (lost_ > 0) {
                --lost_;
                return;
            }
            daemons_[to.value()].reload->received(NodeNumber{n}, message);
        };
        parts.members = [] {
            NodeSet both = NodeSet::of(NodeNumber{1});
            both.insert(NodeNumber{2});
            return both;
        };
        parts.current = [&daemon] { return daemon.current; };
        parts.check = [this, n](const netbeat::NodesFile&) -> Status {
            if (n == refuses_) {
                return Error{ErrorCode::kConflict, 0, "there is no room for so many"};
            }
            return Done{};
        };
        parts.take = [&daemon](const netbeat::NodesFile& file) -> Status {
            daemon.current = file;
            ++daemon.taken;
            return Done{};
        };
        parts.name = [](NodeNumber node) { return "node" + std::to_string(node.value()); };
        daemon.reload = std::make_unique<NodesReload>(std::move(parts));
        ASSERT_TRUE(daemon.reload->start());
    }

    std::string path(unsigned n) { return scratch_ + "/nodes" + std::to_string(n); }
    void write(unsigned n, const std::string& text) { std::ofstream{path(n)} << text; }

    nlohmann::json reload(unsigned n) {
        std::mutex mutex;
        std::condition_variable answered;
        std::optional<nlohmann::json> answer;
        daemons_[n].reload->reload([&](const nlohmann::json& given) {
            const std::lock_guard lock{mutex};
            answer = given;
            answered.notify_all();
        });
        std::unique_lock lock{mutex};
        answered.wait(lock, [&] { return answer.has_value(); });
        return *answer;
    }
    std::string refusal_of(unsigned n) {
        const nlohmann::json answer = reload(n);
        EXPECT_FALSE(answer.value("ok", true)) << answer;
        return answer.dump();
    }
    void expect_unchanged() {
        for (const auto& [n, daemon] : daemons_) {
            EXPECT_EQ(daemon.taken, 0U) << n;
        }
    }

    const std::string scratch_ = e2e::make_scratch();
    std::map<unsigned, Daemon> daemons_;
    std::atomic<unsigned> lost_ = 0;
    std::atomic<unsigned> refuses_ = 0;
};

TEST_F(NodesReloadTest, AllTakeTheSameFile) {
    write(1, kThree);
    write(2, "node1   10.0.0.1:5499\n\nnode2 10.0.0.2\nnode3\t10.0.0.3\n");
    EXPECT_EQ(reload(1).at("nodes"), 3);
    for (const auto& [n, daemon] : daemons_) {
        EXPECT_EQ(daemon.taken, 1U) << n;
        EXPECT_EQ(daemon.current.configured().count(), 3U) << n;
    }
}

TEST_F(NodesReloadTest, WhatIsLostIsSaidAgain) {
    write(1, kThree);
    write(2, kThree);
    lost_ = 3;
    EXPECT_EQ(reload(2).at("nodes"), 3);
    EXPECT_EQ(daemons_[1].current.configured().count(), 3U);
}

TEST_F(NodesReloadTest, ADifferenceIsNamedAndNobodyTakesAnything) {
    write(1, kThree);
    write(2, kTwo + "node3 10.0.0.33\n");
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("line 3 is 'node3 10.0.0.3:"), std::string::npos) << why;
    EXPECT_NE(why.find("'node3 10.0.0.33:"), std::string::npos) << why;
    EXPECT_NE(why.find("on node node2"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(NodesReloadTest, OneThatCannotUseItRefusesForAll) {
    write(1, kThree);
    write(2, kThree);
    refuses_ = 2;
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("node node2: there is no room"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(NodesReloadTest, AMemberStays) {
    write(1, "node1 10.0.0.1\n");
    write(2, "node1 10.0.0.1\n");
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("stop it first"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(NodesReloadTest, ABadFileIsNamedWithItsLine) {
    write(1, kTwo);
    write(2, "node1 10.0.0.1\nnode2 10.0.0.300\n");
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("nodes2:2:"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(NodesReloadTest, AfterTheStopNobodyWaits) {
    daemons_[1].reload->stop();
    EXPECT_NE(refusal_of(1).find("stopped"), std::string::npos);
}

}  // namespace
}  // namespace css::runtime
