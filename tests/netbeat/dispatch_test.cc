#include "netbeat/io/dispatch.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "netbeat/io/sending.h"
#include "tests/netbeat/heartbeats.h"
#include "tests/netbeat/loopback.h"

namespace css::netbeat {
namespace {

Key key(unsigned value) {
    std::array<std::byte, kKeySize> bytes{};
    bytes.fill(static_cast<std::byte>(value));
    return Key{bytes};
}

ClusterGuid cluster(unsigned value) {
    ClusterGuid guid;
    guid.bytes.fill(static_cast<std::byte>(value));
    return guid;
}

std::vector<std::byte> sealed(const Sealer& sealer, const Heartbeat& heartbeat) {
    std::vector<std::byte> datagram(kDatagramSizeMax);
    datagram.resize(sealer.seal(heartbeat, datagram));
    return datagram;
}

std::set<std::string> thread_names() {
    std::set<std::string> names;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::string name;
        std::getline(std::ifstream{task.path() / "comm"}, name);
        names.insert(name);
    }
    return names;
}

/// A node with its two threads, as the daemon runs it.
class Node {
public:
    Node(const NodesFile& nodes, unsigned number, const Sealer& sealer)
        : interconnect_(opened(nodes, number)),
          dispatch_(*interconnect_, sealer, collector_.callbacks()),
          sending_(*interconnect_, sealer, {}) {
        CSS_CHECK(dispatch_.start().has_value());
        CSS_CHECK(sending_.start().has_value());
    }
    Collector& collector() { return collector_; }
    Dispatch& dispatch() { return dispatch_; }
    SendingThread& sending() { return sending_; }

private:
    Collector collector_;
    std::unique_ptr<Interconnect> interconnect_;
    Dispatch dispatch_;
    SendingThread sending_;
};

void expect_everyone_hears_everyone(const NodesFile& nodes, std::size_t copies) {
    const Sealer sealer{cluster(1), key(1)};
    const unsigned count = nodes.slots_used();
    std::vector<std::unique_ptr<Node>> running;
    for (unsigned n = 1; n <= count; ++n) {
        running.push_back(std::make_unique<Node>(nodes, n, sealer));
    }
    for (unsigned n = 1; n <= count; ++n) {
        running[n - 1]->sending().post(member_heartbeat(NodeNumber{n}, count, 100 + n));
    }
    for (unsigned n = 1; n <= count; ++n) {
        const auto heard = running[n - 1]->collector().wait_for((count - 1) * copies);
        EXPECT_EQ(heard.size(), (count - 1) * copies);
        for (unsigned other = 1; other <= count; ++other) {
            const auto expected = member_heartbeat(NodeNumber{other}, count, 100 + other);
            EXPECT_EQ(std::count(heard.begin(), heard.end(), expected),
                      other == n ? 0 : static_cast<std::ptrdiff_t>(copies));
        }
        EXPECT_EQ(running[n - 1]->dispatch().receive_errors(), 0U);
        EXPECT_TRUE(running[n - 1]->collector().refused().empty());
    }
}

TEST(Dispatch, TwoNodesHearEachOther) {
    expect_everyone_hears_everyone(nodes_of("a " + loopback(1) + "\nb " + loopback(2)), 1);
}

TEST(Dispatch, ThreeNodesOnOneAddressWithThreePorts) {
    expect_everyone_hears_everyone(
        nodes_of("a " + loopback(1, 1) + "\nb " + loopback(1, 2) + "\nc " + loopback(1, 3)), 1);
}

TEST(Dispatch, OverTwoInterconnectsEachHeartbeatComesTwice) {
    expect_everyone_hears_everyone(
        nodes_of("a " + loopback(1) + " " + loopback(1, 1) + "\nb " + loopback(2) + " " +
                 loopback(2, 1) + "\nc " + loopback(3) + " " + loopback(3, 1)),
        2);
}

TEST(Dispatch, Ipv6) {
    const auto ipv6 = Interconnect::open(nodes_of("a " + loopback_ipv6(1)), NodeNumber{1});
    if (!ipv6) {
        GTEST_SKIP() << "no IPv6 here: " << ipv6.error().message;
    }
    expect_everyone_hears_everyone(nodes_of("a " + loopback_ipv6(2) + "\nb " + loopback_ipv6(3)),
                                   1);
}

TEST(Dispatch, OneInterconnectOfEachFamily) {
    const auto ipv6 = Interconnect::open(nodes_of("a " + loopback_ipv6(1)), NodeNumber{1});
    if (!ipv6) {
        GTEST_SKIP() << "no IPv6 here: " << ipv6.error().message;
    }
    expect_everyone_hears_everyone(nodes_of("a " + loopback(1) + " " + loopback_ipv6(2) + "\nb " +
                                            loopback(2) + " " + loopback_ipv6(3)),
                                   2);
}

TEST(Dispatch, MessagesComeWithTheNodeThatSentThem) {
    const NodesFile nodes = nodes_of("a " + loopback(1) + "\nb " + loopback(2));
    const Sealer sealer{cluster(1), key(1)};
    const auto interconnect = opened(nodes, 1);
    std::promise<std::pair<NodeNumber, std::vector<std::byte>>> heard;
    DispatchCallbacks callbacks;
    callbacks.on_heartbeat = [](const Heartbeat&) {};
    callbacks.on_message = [&heard](NodeNumber from, std::span<const std::byte> message) {
        heard.set_value({from, std::vector<std::byte>{message.begin(), message.end()}});
    };
    Dispatch dispatch{*interconnect, sealer, std::move(callbacks)};
    ASSERT_TRUE(dispatch.start());
    Node other{nodes, 2, sealer};
    const std::vector<std::byte> message(1000, std::byte{9});
    ASSERT_TRUE(other.sending().post_message(NodeNumber{1}, message));
    const auto got = heard.get_future().get();
    EXPECT_EQ(got.first, NodeNumber{2});
    EXPECT_EQ(got.second, message);
    dispatch.stop();
    EXPECT_EQ(dispatch.count(DatagramVerdict::kAccepted), 1U);
}

// Nobody there to hear them: as any other datagram that is no heartbeat.
TEST(Dispatch, MessagesAreRefusedWhereNobodyWantsThem) {
    const NodesFile nodes = nodes_of("a " + loopback(1) + "\nb " + loopback(2));
    const Sealer sealer{cluster(1), key(1)};
    Node one{nodes, 1, sealer};
    Node other{nodes, 2, sealer};
    ASSERT_TRUE(other.sending().post_message(NodeNumber{1}, std::vector<std::byte>(200)));
    other.sending().stop();
    one.sending().stop();
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (one.dispatch().count(DatagramVerdict::kBadMagic) == 0 &&
           std::chrono::steady_clock::now() < limit) {
        std::this_thread::yield();
    }
    EXPECT_EQ(one.dispatch().count(DatagramVerdict::kBadMagic), 1U);
}

/// Node 1 listens on two interconnects; 2 and 3 are played by hand.
class Refusing : public testing::Test {
protected:
    const NodesFile nodes_ = nodes_of("a " + loopback(1) + " " + loopback(1, 1) + "\nb " +
                                      loopback(2) + " " + loopback(2, 1) + "\nc " + loopback(3));
    const Sealer sealer_{cluster(1), key(1)};
    Node node_{nodes_, 1, sealer_};
    const RawSocket two_{loopback(2)};
    const Heartbeat good_ = member_heartbeat(NodeNumber{2}, 3, 5);

    /// A good heartbeat after the others: one socket keeps the order, so once it is through, all
    /// that came before it have been judged.
    void expect_heard_after(std::size_t count) {
        two_.send(loopback(1), sealed(sealer_, good_));
        EXPECT_EQ(node_.collector().wait_for(count).size(), count);
    }
    std::uint64_t count(DatagramVerdict verdict) { return node_.dispatch().count(verdict); }
};

TEST_F(Refusing, EachKindIsCountedAndToldOnce) {
    const auto datagram = sealed(sealer_, good_);
    auto bad_magic = datagram;
    bad_magic[0] ^= std::byte{1};
    auto bad_version = datagram;
    bad_version[4] ^= std::byte{1};
    auto flipped = datagram;
    flipped.back() ^= std::byte{1};
    const std::vector<std::pair<DatagramVerdict, std::vector<std::byte>>> bad{
        {DatagramVerdict::kTooShort, {}},
        {DatagramVerdict::kTooLong, std::vector<std::byte>(kDatagramSizeMax + 1)},
        {DatagramVerdict::kTooLong, std::vector<std::byte>(9'000)},
        {DatagramVerdict::kBadMagic, bad_magic},
        {DatagramVerdict::kBadVersion, bad_version},
        {DatagramVerdict::kWrongCluster, sealed(Sealer{cluster(2), key(1)}, good_)},
        {DatagramVerdict::kWrongSender, sealed(sealer_, member_heartbeat(NodeNumber{3}, 3, 5))},
        {DatagramVerdict::kNotAuthentic, sealed(Sealer{cluster(1), key(2)}, good_)},
        {DatagramVerdict::kNotAuthentic, flipped},
    };
    std::array<std::uint64_t, kDatagramVerdicts> expected{};
    for (const auto& [verdict, bytes] : bad) {
        two_.send(loopback(1), bytes);
        ++expected.at(static_cast<std::size_t>(verdict));
    }
    expect_heard_after(1);
    expected.at(static_cast<std::size_t>(DatagramVerdict::kAccepted)) = 1;
    for (std::size_t v = 0; v < kDatagramVerdicts; ++v) {
        const auto verdict = static_cast<DatagramVerdict>(v);
        EXPECT_EQ(count(verdict), expected.at(v)) << describe(verdict);
    }
    const auto told = node_.collector().refused();
    ASSERT_EQ(told.size(), 7U) << "two kinds came twice within the period";
    for (const auto& one : told) {
        EXPECT_EQ(one.count, 1U);
        EXPECT_EQ(one.from, address_of(loopback(2)));
    }
}

TEST_F(Refusing, Sources2_5_UnknownAddressIsNotEvenOpened) {
    const auto datagram = sealed(sealer_, good_);  // Authentic, but from the wrong place.
    const RawSocket stranger{loopback(9)};
    const RawSocket other_port{loopback(2, 7)};
    const RawSocket other_interconnect{loopback(2, 1)};
    stranger.send(loopback(1), datagram);
    other_port.send(loopback(1), datagram);
    other_interconnect.send(loopback(1), datagram);
    expect_heard_after(1);
    EXPECT_EQ(count(DatagramVerdict::kUnknownAddress), 3U);
    ASSERT_EQ(node_.collector().refused().size(), 1U);
    EXPECT_EQ(node_.collector().refused()[0].from, address_of(loopback(9)));
}

/// A dead daemon's guardians have no claim on its port, and nothing else to say.
TEST_F(Refusing, E1_GuardiansSayFromAnyPortOfTheirHostThatItStoppedAndNothingElse) {
    const RawSocket guardian{loopback(2, 7)};
    const RawSocket stranger{loopback(9)};
    Heartbeat fenced = good_;
    fenced.state = NodeState::kFenced;
    Heartbeat resetting = good_;
    resetting.state = NodeState::kResetting;
    Heartbeat of_another = member_heartbeat(NodeNumber{3}, 3, 5);
    of_another.state = NodeState::kFenced;
    guardian.send(loopback(1), sealed(sealer_, good_));
    guardian.send(loopback(1), sealed(sealer_, of_another));
    stranger.send(loopback(1), sealed(sealer_, fenced));
    guardian.send(loopback(1), sealed(sealer_, resetting));
    guardian.send(loopback(1), sealed(sealer_, fenced));
    const auto heard = node_.collector().wait_for(2);
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_EQ(heard[0], resetting);
    EXPECT_EQ(heard[1], fenced);
    EXPECT_EQ(count(DatagramVerdict::kUnknownAddress), 3U);
}

TEST_F(Refusing, ReplaysArePassedUp) {
    const auto datagram = sealed(sealer_, good_);
    two_.send(loopback(1), datagram);
    two_.send(loopback(1), datagram);
    const auto heard = node_.collector().wait_for(2);
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_EQ(heard[0], heard[1]);
}

TEST_F(Refusing, AFloodIsCountedToldOnceAndSilencesNobodyElse) {
    const auto begin = std::chrono::steady_clock::now();
    std::atomic<bool> enough = false;
    std::promise<void> flooding;
    std::thread flood{[&] {
        const std::vector<std::byte> garbage(200, std::byte{0x55});
        for (int i = 0; !enough; ++i) {
            two_.send(loopback(1), garbage);
            if (i == 1'000) {
                flooding.set_value();
            }
        }
    }};
    flooding.get_future().wait();
    const RawSocket second{loopback(2, 1)};
    for (std::uint64_t i = 1; i <= 50; ++i) {
        second.send(loopback(1, 1), sealed(sealer_, member_heartbeat(NodeNumber{2}, 3, i)));
        EXPECT_EQ(node_.collector().wait_for(i).size(), i);
    }
    enough = true;
    flood.join();
    node_.dispatch().stop();
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    EXPECT_GT(count(DatagramVerdict::kBadMagic), 100U);
    EXPECT_GE(node_.collector().refused().size(), 1U);
    EXPECT_LE(node_.collector().refused().size(),
              1U + static_cast<std::size_t>(seconds / kRefusalLogPeriod));
}

TEST_F(Refusing, StopEndsAlsoDuringAFlood) {
    std::atomic<bool> enough = false;
    std::thread flood{[&] {
        while (!enough) {
            two_.send(loopback(1), std::vector<std::byte>(1));
        }
    }};
    node_.dispatch().stop();
    const auto judged = count(DatagramVerdict::kTooShort);
    for (int i = 0; i < 100; ++i) {
        std::this_thread::yield();
    }
    EXPECT_EQ(count(DatagramVerdict::kTooShort), judged);
    enough = true;
    flood.join();
}

TEST_F(Refusing, ThreadsAreNamedAndIdleWhenNothingComes) {
    expect_heard_after(1);  // Both threads have begun.
    node_.sending().post(member_heartbeat(NodeNumber{1}, 3, 1));
    EXPECT_FALSE(two_.receive(kPatience).empty());
    const auto names = thread_names();
    EXPECT_TRUE(names.contains("dispatch"));
    EXPECT_TRUE(names.contains("sending"));

    timespec before{};
    timespec after{};
    ASSERT_EQ(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds{500});  // The length of the measurement.
    ASSERT_EQ(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
    const auto used = std::chrono::seconds{after.tv_sec - before.tv_sec} +
                      std::chrono::nanoseconds{after.tv_nsec - before.tv_nsec};
    EXPECT_LT(used, std::chrono::milliseconds{100});
}

}  // namespace
}  // namespace css::netbeat
