#include "netbeat/io/sending.h"

#include <future>
#include <mutex>

#include <gtest/gtest.h>

#include "tests/netbeat/heartbeats.h"
#include "tests/netbeat/loopback.h"

namespace css::netbeat {
namespace {

Key test_key() {
    return Key{std::array<std::byte, kKeySize>{}};
}

class Sending : public testing::Test {
protected:
    const NodesFile nodes_ = nodes_of("a " + loopback(1) + "\nb " + loopback(2));
    const std::unique_ptr<Interconnect> interconnect_ = opened(nodes_, 1);
    const RawSocket peer_{loopback(2)};
    const Sealer sealer_{ClusterGuid{}, test_key()};

    /// The sequence of the next heartbeat that the peer gets; 0 when none comes in time.
    std::uint64_t next_sequence(std::chrono::milliseconds patience = kPatience) const {
        Heartbeat h;
        const auto datagram = peer_.receive(patience);
        const auto verdict = sealer_.open(datagram, NodeNumber{1}, h);
        return verdict == DatagramVerdict::kAccepted ? h.sequence.value() : 0;
    }
    static Heartbeat heartbeat(std::uint64_t sequence) {
        return member_heartbeat(NodeNumber{1}, 2, sequence);
    }
};

TEST_F(Sending, SendsWhatIsPosted) {
    std::promise<SendReport> reported;
    SendingThread sending{*interconnect_, sealer_, [&](const Heartbeat& h, const SendReport& r) {
                              EXPECT_EQ(h, heartbeat(7));
                              reported.set_value(r);
                          }};
    ASSERT_TRUE(sending.start());
    sending.post(heartbeat(7));
    EXPECT_EQ(next_sequence(), 7U);
    EXPECT_EQ(reported.get_future().get().reached, NodeSet{0b10});
}

TEST_F(Sending, NewestWins) {
    std::promise<void> first_sent;
    std::promise<void> go_on;
    auto released = go_on.get_future();
    SendingThread sending{*interconnect_, sealer_, [&](const Heartbeat& h, const SendReport&) {
                              if (h.sequence == Sequence{1}) {
                                  first_sent.set_value();
                                  released.wait();  // The thread is late.
                              }
                          }};
    ASSERT_TRUE(sending.start());
    sending.post(heartbeat(1));
    first_sent.get_future().wait();
    sending.post(heartbeat(2));
    sending.post(heartbeat(3));
    sending.post(heartbeat(4));
    go_on.set_value();
    EXPECT_EQ(next_sequence(), 1U);
    EXPECT_EQ(next_sequence(), 4U);
    sending.stop();
    EXPECT_EQ(sending.heartbeats_sent(), 2U);
    EXPECT_EQ(sending.heartbeats_replaced(), 2U);
    EXPECT_EQ(next_sequence(std::chrono::milliseconds{0}), 0U);
}

TEST_F(Sending, StopSendsTheLastOneAndNothingAfterwards) {
    for (std::uint64_t round = 1; round <= 200; ++round) {
        SendingThread sending{*interconnect_, sealer_, {}};
        ASSERT_TRUE(sending.start());
        sending.post(heartbeat(round));
        sending.stop();
        ASSERT_EQ(next_sequence(std::chrono::milliseconds{0}), round);
        sending.post(heartbeat(round + 1));
        sending.stop();  // Twice does no harm.
        ASSERT_EQ(next_sequence(std::chrono::milliseconds{0}), 0U);
    }
}

TEST_F(Sending, StopWithoutStart) {
    SendingThread sending{*interconnect_, sealer_, {}};
    sending.stop();
    EXPECT_EQ(sending.heartbeats_sent(), 0U);
}

// Before the thread starts both wait: the heartbeat goes first, whatever came first.
TEST_F(Sending, AHeartbeatGoesBeforeEveryMessage) {
    SendingThread sending{*interconnect_, sealer_, {}};
    for (std::size_t i = 0; i < SendingThread::kMessagesMax; ++i) {
        ASSERT_TRUE(sending.post_message(NodeNumber{2}, {std::byte{7}}));
    }
    EXPECT_FALSE(sending.post_message(NodeNumber{2}, {std::byte{8}}));  // Full.
    sending.post(heartbeat(5));
    ASSERT_TRUE(sending.start());
    EXPECT_EQ(next_sequence(), 5U);
    EXPECT_EQ(kind_of(peer_.receive(kPatience)), DatagramKind::kMessage);
    sending.stop();
    EXPECT_EQ(sending.messages_sent(), SendingThread::kMessagesMax);
    EXPECT_FALSE(sending.post_message(NodeNumber{2}, {std::byte{8}}));
}

TEST(SendingMessages, GoToOneNodeOverEveryInterconnectThatBothHave) {
    const NodesFile nodes = nodes_of("a " + loopback(1) + " " + loopback(1, 1) + "\nb " +
                                     loopback(2) + " " + loopback(2, 1) + "\nc " + loopback(3));
    const auto interconnect = opened(nodes, 1);
    const RawSocket first{loopback(2)};
    const RawSocket second{loopback(2, 1)};
    const RawSocket other{loopback(3)};
    const Sealer sealer{ClusterGuid{}, test_key()};
    SendingThread sending{*interconnect, sealer, {}};
    ASSERT_TRUE(sending.start());
    ASSERT_TRUE(sending.post_message(NodeNumber{2}, {std::byte{7}}));
    EXPECT_EQ(first.receive(kPatience).size(), kSealOverhead + 1);
    EXPECT_EQ(second.receive(kPatience).size(), kSealOverhead + 1);
    sending.stop();
    EXPECT_TRUE(other.receive(std::chrono::milliseconds{0}).empty());
}

}  // namespace
}  // namespace css::netbeat
