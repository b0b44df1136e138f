#include "cssd/runtime/agreement.h"

#include <atomic>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "cssd/runtime/nodes_reload.h"
#include "tests/e2e/harness/scratch.h"
#include "tests/runtime/answer.h"

namespace css::runtime {
namespace {

using Topic = AgreementMessage::Topic;
using Verdict = AgreementMessage::Verdict;
using What = AgreementMessage::What;

const std::string kTwo = "node1 10.0.0.1\nnode2 10.0.0.2\n";
const std::string kThree = kTwo + "node3 10.0.0.3\n";

TEST(AgreementMessage, SaysTheSameWhenItIsReadAgainAndIsRefusedWhenCut) {
    AgreementMessage message;
    message.topic = Topic::kKeyFile;
    message.what = What::kAnswer;
    message.verdict = Verdict::kDiffers;
    message.line = 3;
    message.id = 0x0123'4567'89AB'CDEF;
    message.fingerprint = 0xFEDC'BA98'7654'3210;
    message.lines = {1, 0xFFFF'FFFF, 3};
    message.text = "node3 10.0.0.3:5499";
    const std::vector<std::byte> bytes = encode(message);
    EXPECT_EQ(agreement_topic(bytes), Topic::kKeyFile);
    EXPECT_EQ(decode_agreement(bytes), message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_EQ(decode_agreement(std::span{bytes}.first(size)), std::nullopt) << size;
    }
    std::vector<std::byte> longer = bytes;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decode_agreement(longer), std::nullopt);
}

TEST(AgreementMessage, EachTopicHasItsFirstByte) {
    for (const Topic topic : {Topic::kNodesFile, Topic::kKeyFile}) {
        AgreementMessage message;
        message.topic = topic;
        EXPECT_EQ(encode(message).front(), std::byte{static_cast<unsigned char>(topic)});
        EXPECT_EQ(agreement_topic(encode(message)), topic);
    }
    // Segments of the group layer begin with their version.
    EXPECT_EQ(agreement_topic(std::array{std::byte{1}}), std::nullopt);
    EXPECT_EQ(agreement_topic({}), std::nullopt);
}

TEST(AgreementMessage, NobodyOutsideWritesIntoOurTerminals) {
    AgreementMessage message;
    message.text = "\x1b[2Jgone";
    EXPECT_EQ(decode_agreement(encode(message))->text, "?[2Jgone");
}

/// Daemons that have nothing but this part, each with a nodes file of its own. Messages are passed
/// on at once, those of `lost` not.
class AgreementTest : public ::testing::Test {
protected:
    struct Daemon {
        netbeat::NodesFile current;
        std::atomic<unsigned> taken = 0;
        NodesReload reload;
        std::unique_ptr<FileAgreement> agreement;
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
            daemon.agreement->stop();
        }
        e2e::remove_scratch(scratch_);
    }

    void start(unsigned n) {
        Daemon& daemon = daemons_[n];
        FileAgreement::Parts parts;
        parts.name = "nodes file";
        parts.thread = "nodes";
        parts.self = NodeNumber{n};
        parts.send = [this, n](NodeNumber to, const std::vector<std::byte>& message) {
            if (lost_ > 0) {
                --lost_;
                return;
            }
            on_sent(*decode_agreement(message));
            daemons_[to.value()].agreement->received(NodeNumber{n}, message);
        };
        parts.members = [this] { return members(); };
        parts.done = [&daemon] {
            return nlohmann::json{{"ok", true}, {"nodes", daemon.current.configured().count()}};
        };
        parts.node_name = [](NodeNumber node) { return "node" + std::to_string(node.value()); };
        daemon.reload.path = path(n);
        daemon.reload.members = parts.members;
        daemon.reload.node_name = parts.node_name;
        daemon.reload.check = [this, n](const netbeat::NodesFile&) -> Status {
            if (n == refuses_) {
                return Error{ErrorCode::kConflict, 0, "there is no room for so many"};
            }
            return Done{};
        };
        daemon.reload.take = [&daemon](const netbeat::NodesFile& file) -> Status {
            daemon.current = file;
            ++daemon.taken;
            return Done{};
        };
        parts.read = [&daemon](std::optional<std::uint64_t>) { return read_nodes(daemon.reload); };
        daemon.agreement = std::make_unique<FileAgreement>(std::move(parts));
        ASSERT_TRUE(daemon.agreement->start());
    }
    NodeSet members() {
        NodeSet members;
        for (unsigned n = 1; n <= members_; ++n) {
            members.insert(NodeNumber{n});
        }
        return members;
    }
    /// Before it arrives.
    void on_sent(const AgreementMessage& message) {
        if (message.what == joins_with_) {
            members_ = 3;
        }
        if (message.what == ends_with_) {
            members_ = 0;
        }
    }

    std::string path(unsigned n) { return scratch_ + "/nodes" + std::to_string(n); }
    void write(unsigned n, const std::string& text) { std::ofstream{path(n)} << text; }

    nlohmann::json reload(unsigned n) {
        return answer_of([&](const auto& done) { daemons_[n].agreement->begin(done); });
    }
    std::string refusal_of(unsigned n) {
        return runtime::refusal_of([&](const auto& done) { daemons_[n].agreement->begin(done); });
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
    std::atomic<unsigned> members_ = 2;
    std::optional<What> joins_with_;  ///< Node 3 is a member from the first such message on.
    std::optional<What> ends_with_;   ///< Nobody knows of a record from then on.
};

TEST_F(AgreementTest, AllTakeTheSameFile) {
    write(1, kThree);
    write(2, "node1   10.0.0.1:5499\n\nnode2 10.0.0.2\nnode3\t10.0.0.3\n");
    EXPECT_EQ(reload(1).at("nodes"), 3);
    for (const auto& [n, daemon] : daemons_) {
        EXPECT_EQ(daemon.taken, 1U) << n;
        EXPECT_EQ(daemon.current.configured().count(), 3U) << n;
    }
}

TEST_F(AgreementTest, WhatIsLostIsSaidAgain) {
    write(1, kThree);
    write(2, kThree);
    lost_ = 3;
    EXPECT_EQ(reload(2).at("nodes"), 3);
    EXPECT_EQ(daemons_[1].current.configured().count(), 3U);
}

TEST_F(AgreementTest, ADifferenceIsNamedAndNobodyTakesAnything) {
    write(1, kThree);
    write(2, kTwo + "node3 10.0.0.33\n");
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("line 3 is 'node3 10.0.0.3:"), std::string::npos) << why;
    EXPECT_NE(why.find("'node3 10.0.0.33:"), std::string::npos) << why;
    EXPECT_NE(why.find("on node node2"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(AgreementTest, OneThatCannotUseItRefusesForAll) {
    write(1, kThree);
    write(2, kThree);
    refuses_ = 2;
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("node node2: there is no room"), std::string::npos) << why;
    expect_unchanged();
}

/// 1. All members have answered. 2. Before that was known, node 3 became one.
TEST_F(AgreementTest, WhoBecomesAMemberMeanwhileIsAskedToo) {
    for (const unsigned n : {1U, 2U, 3U}) {
        write(n, kThree);
    }
    joins_with_ = What::kAnswer;
    start(3);
    refuses_ = 3;
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("node node3: there is no room"), std::string::npos) << why;
    expect_unchanged();
    refuses_ = 0;
    EXPECT_EQ(reload(1).at("nodes"), 3);
    EXPECT_EQ(daemons_[3].taken, 1U);
}

TEST_F(AgreementTest, WhoIsNoMemberAnyMoreDoesNotGoOnAlone) {
    write(1, kThree);
    write(2, kThree);
    ends_with_ = What::kAsk;
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("not an active member of the cluster any more. Nothing"), std::string::npos)
        << why;
    expect_unchanged();
}

TEST_F(AgreementTest, AMemberStays) {
    write(1, "node1 10.0.0.1\n");
    write(2, "node1 10.0.0.1\n");
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("stop it first"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(AgreementTest, ABadFileIsNamedWithItsLine) {
    write(1, kTwo);
    write(2, "node1 10.0.0.1\nnode2 10.0.0.300\n");
    const std::string why = refusal_of(1);
    EXPECT_NE(why.find("nodes2:2:"), std::string::npos) << why;
    expect_unchanged();
}

TEST_F(AgreementTest, AfterTheStopNobodyWaits) {
    daemons_[1].agreement->stop();
    EXPECT_NE(refusal_of(1).find("stopped"), std::string::npos);
}

}  // namespace
}  // namespace css::runtime
