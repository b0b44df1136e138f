#include "netbeat/io/interconnect.h"

#include <array>
#include <cerrno>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/netbeat/loopback.h"

namespace css::netbeat {
namespace {

constexpr std::chrono::milliseconds kAtOnce = kPatience;

std::vector<std::byte> bytes_of(std::string_view text) {
    std::vector<std::byte> bytes;
    for (const char c : text) {
        bytes.push_back(static_cast<std::byte>(c));
    }
    return bytes;
}

// 198.51.100.0/24 is for documentation: no host has such an address.
TEST(Interconnect, Sources2_4_OwnNumberIsTheFirstLineThatBinds) {
    const NodesFile nodes = nodes_of("far 198.51.100.1\n#gone " + loopback(1) + "\nhere " +
                                     loopback(2) + "\nalso " + loopback(3));
    const auto first = Interconnect::open(nodes, std::nullopt);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ((*first)->self(), NodeNumber{3});
}

TEST(Interconnect, Sources2_4_TwoDaemonsNeverTakeTheSameAddress) {
    const NodesFile nodes = nodes_of("a " + loopback(1) + "\nb " + loopback(2));
    const auto a = Interconnect::open(nodes, std::nullopt);
    ASSERT_TRUE(a);
    const auto b = Interconnect::open(nodes, std::nullopt);
    ASSERT_TRUE(b);
    EXPECT_EQ((*a)->self(), NodeNumber{1});
    EXPECT_EQ((*b)->self(), NodeNumber{2});
    for (const auto number : {std::optional<NodeNumber>{}, std::optional{NodeNumber{1}}}) {
        const auto none = Interconnect::open(nodes, number);
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error().code, ErrorCode::kConflict);
        EXPECT_NE(none.error().message.find(loopback(1)), std::string::npos)
            << none.error().message;
    }
}

TEST(Interconnect, Sources2_4_NoneBindsSaysSo) {
    const auto none = Interconnect::open(nodes_of("a 198.51.100.1\nb 198.51.100.2"), std::nullopt);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::kSystem);
    EXPECT_NE(none.error().message.find("on this host"), std::string::npos);
    EXPECT_NE(none.error().message.find("198.51.100.2:5499: "), std::string::npos);
}

TEST(Interconnect, GivenNumberBindsExactlyThat) {
    const NodesFile nodes =
        nodes_of("a " + loopback(1) + "\n#b\nc " + loopback(3) + "\nd 198.51.100.1");
    EXPECT_EQ(opened(nodes, 3)->self(), NodeNumber{3});
    for (const unsigned number : {2U, 5U, 64U}) {
        const auto none = Interconnect::open(nodes, NodeNumber{number});
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error().code, ErrorCode::kInvalid);
    }
    const auto far = Interconnect::open(nodes, NodeNumber{4});
    ASSERT_FALSE(far);
    EXPECT_EQ(far.error().code, ErrorCode::kSystem);
    EXPECT_EQ(far.error().system_errno, EADDRNOTAVAIL);
}

TEST(Interconnect, AFurtherAddressThatDoesNotBindIsAnErrorAndFreesTheFirst) {
    const NodesFile nodes = nodes_of("a " + loopback(1) + " 198.51.100.1");
    const auto none = Interconnect::open(nodes, std::nullopt);
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message.find("198.51.100.1:5499"), std::string::npos);
    EXPECT_EQ(opened(nodes_of("a " + loopback(1)), 1)->count(), 1U);
}

TEST(Interconnect, SendsTheSameBytesToEveryPeerFromTheOwnAddress) {
    const NodesFile nodes = nodes_of("a " + loopback(1) + "\nb " + loopback(2) + "\n#x " +
                                     loopback(4) + "\nc " + loopback(3));
    const auto a = opened(nodes, 1);
    const RawSocket b{loopback(2)};
    const RawSocket c{loopback(3)};
    const RawSocket deleted{loopback(4)};
    const auto message = bytes_of("to all");
    const SendReport report = a->send(message);
    EXPECT_EQ(report.sent, 2U);
    EXPECT_EQ(report.not_sent, 0U);
    EXPECT_EQ(report.reached, NodeSet{0b1010});
    EXPECT_EQ(b.receive(kAtOnce), message);
    EXPECT_EQ(c.receive(kAtOnce), message);
    EXPECT_TRUE(deleted.receive(std::chrono::milliseconds{0}).empty());
    EXPECT_EQ(a->datagrams_sent(), 2U);
}

TEST(Interconnect, EachInterconnectReachesThoseThatHaveIt) {
    const NodesFile nodes =
        nodes_of("a " + loopback(1, 0) + " " + loopback(1, 1) + "\nb " + loopback(2, 0) + "\nc " +
                 loopback(3, 0) + " " + loopback(3, 1) + " " + loopback(3, 2));
    const auto a = opened(nodes, 1);
    ASSERT_EQ(a->count(), 2U);
    const RawSocket b0{loopback(2, 0)};
    const RawSocket c0{loopback(3, 0)};
    const RawSocket c1{loopback(3, 1)};
    const RawSocket c2{loopback(3, 2)};
    const auto message = bytes_of("x");
    EXPECT_EQ(a->send(message).sent, 3U);
    for (const RawSocket* socket : {&b0, &c0, &c1}) {
        EXPECT_EQ(socket->receive(kAtOnce), message);
    }
    EXPECT_TRUE(c2.receive(std::chrono::milliseconds{0}).empty());

    // A peer is known only on its own interconnect.
    EXPECT_EQ(a->node_at(0, address_of(loopback(3, 0))), NodeNumber{3});
    EXPECT_EQ(a->node_at(1, address_of(loopback(3, 1))), NodeNumber{3});
    EXPECT_EQ(a->node_at(0, address_of(loopback(3, 1))), NodeNumber{});
    EXPECT_EQ(a->node_at(1, address_of(loopback(2, 0))), NodeNumber{});
    EXPECT_EQ(a->node_at(0, address_of(loopback(1, 0))), NodeNumber{}) << "itself is no peer";
    EXPECT_EQ(a->node_at(0, address_of(loopback(2, 9))), NodeNumber{}) << "port counts";
}

TEST(Interconnect, ReloadTakesNewPeersAndRefusesAnotherOwnLine) {
    const std::string own = "a " + loopback(1);
    const auto a = opened(nodes_of(own + "\nb " + loopback(2)), 1);
    ASSERT_TRUE(a->reload(nodes_of(own + "\n#b\nc " + loopback(3))));
    EXPECT_EQ(a->node_at(0, address_of(loopback(2))), NodeNumber{});
    EXPECT_EQ(a->node_at(0, address_of(loopback(3))), NodeNumber{3});
    const RawSocket c{loopback(3)};
    EXPECT_EQ(a->send(bytes_of("x")).reached, NodeSet{0b100});
    EXPECT_EQ(c.receive(kAtOnce), bytes_of("x"));
    for (const std::string& other : {"a " + loopback(9),
                                     "x " + loopback(1),
                                     "#a\nb " + loopback(2),
                                     own + " " + loopback(1, 1)}) {
        const auto refused = a->reload(nodes_of(other));
        ASSERT_FALSE(refused) << other;
        EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
        EXPECT_EQ(a->node_at(0, address_of(loopback(3))), NodeNumber{3});
    }
}

// A socket bound to a loopback address cannot reach another host: the kernel refuses every such
// send with EINVAL. The one to a reachable peer between them still goes out.
TEST(Interconnect, Style9_12_ARefusedSendIsCountedAndStopsNothing) {
    const NodesFile nodes =
        nodes_of("a " + loopback(1) + "\nb 198.51.100.1\nc " + loopback(3) + "\nd 198.51.100.2");
    const auto a = opened(nodes, 1);
    const RawSocket c{loopback(3)};
    const auto message = bytes_of("x");
    for (unsigned round = 1; round <= 3; ++round) {
        const SendReport report = a->send(message);
        EXPECT_EQ(report.sent, 1U);
        EXPECT_EQ(report.not_sent, 2U);
        EXPECT_EQ(report.last_errno, EINVAL);
        EXPECT_EQ(report.reached, NodeSet{0b100});
        EXPECT_EQ(a->send_errors(EINVAL), 2U * round);
        EXPECT_EQ(c.receive(kAtOnce), message);
    }
    EXPECT_EQ(a->send_errors(EPERM), 0U);
    EXPECT_EQ(a->datagrams_sent(), 3U);
}

TEST(Interconnect, SixtyFourNodes) {
    std::string text;
    for (unsigned n = 1; n <= 64; ++n) {
        text += "n" + std::to_string(n) + " " + loopback(n) + "\n";
    }
    const auto a = opened(nodes_of(text), 64);
    const RawSocket first{loopback(1)};
    const RawSocket last{loopback(63)};
    const SendReport report = a->send(bytes_of("x"));
    EXPECT_EQ(report.sent, 63U) << "nobody listens on most of them: that is no error of a send";
    EXPECT_EQ(first.receive(kAtOnce), bytes_of("x"));
    EXPECT_EQ(last.receive(kAtOnce), bytes_of("x"));
    EXPECT_EQ(a->send(bytes_of("x")).sent, 63U);
}

}  // namespace
}  // namespace css::netbeat
