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

}  // namespace
}  // namespace css::netbeat
