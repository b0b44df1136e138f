#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "netbeat/io/sending.h"
#include "tests/netbeat/heartbeats.h"
#include "tests/netbeat/loopback.h"

namespace css::netbeat {
namespace {

bool loopback_up() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const bool up = fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    return up;
}

/// Runs `body` in a network namespace that lives as long as this call: only its own thread and the
/// programs and threads started from it are in there. Says why it could not.
std::optional<std::string> in_own_network(const std::function<void()>& body) {
    std::optional<std::string> why_not;
    std::thread inside{[&] {
        if (::unshare(CLONE_NEWNET) != 0) {
            why_not = std::string{"no own network namespace: "} + std::strerror(errno);
        } else if (!loopback_up()) {
            why_not = "cannot bring up the loopback of the namespace";
        } else if (std::system("iptables -w -L >/dev/null 2>&1") != 0) {
            why_not = "no iptables";
        } else {
            body();
        }
    }};
    inside.join();
    return why_not;
}

void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

/// Posts one heartbeat and waits until the thread has dealt with it.
class Sender {
public:
    explicit Sender(Interconnect& interconnect)
        : thread_(interconnect, sealer_, [this](const Heartbeat&, const SendReport& report) {
              done_->set_value(report);
          }) {
        CSS_CHECK(thread_.start().has_value());
    }
    SendReport send() {
        done_.emplace();
        thread_.post(member_heartbeat(NodeNumber{1}, 2, ++sequence_));
        return done_->get_future().get();
    }

private:
    const Sealer sealer_{ClusterGuid{}, Key{std::array<std::byte, kKeySize>{}}};
    std::uint64_t sequence_ = 0;
    std::optional<std::promise<SendReport>> done_;
    SendingThread thread_;
};

void expect_refused(Sender& sender, Interconnect& interconnect, int error) {
    for (unsigned i = 1; i <= 3; ++i) {
        const SendReport report = sender.send();
        EXPECT_EQ(report.sent, 0U);
        EXPECT_EQ(report.not_sent, 1U);
        EXPECT_EQ(report.last_errno, error) << std::strerror(report.last_errno);
        EXPECT_EQ(interconnect.send_errors(error), i);
    }
}

void expect_sent(Sender& sender, const RawSocket& peer) {
    EXPECT_EQ(sender.send().sent, 1U);
    EXPECT_FALSE(peer.receive(kPatience).empty());
}

// Every error that a cut, a firewall, a lost route or a lost interface gives. After each the thread
// still sends as soon as the network takes it.
TEST(SendErrors, Style9_12_NoneEndsTheSendingThread) {
    const auto why_not = in_own_network([] {
        run("ip addr add 10.99.0.1/32 dev lo && ip addr add 10.99.0.2/32 dev lo");
        const auto interconnect = opened(nodes_of("a 10.99.0.1\nb 10.99.0.2"), 1);
        const RawSocket peer{"10.99.0.2"};
        Sender sender{*interconnect};
        expect_sent(sender, peer);

        run("iptables -w -A OUTPUT -p udp -j DROP");
        expect_refused(sender, *interconnect, EPERM);
        run("iptables -w -F OUTPUT");
        expect_sent(sender, peer);

        run("ip rule add pref 1 table local && ip rule del pref 0 && ip rule add pref 0 table 7");
        for (const auto& [kind, error] : {std::pair{"blackhole", EINVAL},
                                          std::pair{"unreachable", EHOSTUNREACH},
                                          std::pair{"prohibit", EACCES}}) {
            run("ip route add table 7 " + std::string{kind} + " 10.99.0.2/32");
            expect_refused(sender, *interconnect, error);
            run("ip route flush table 7");
            expect_sent(sender, peer);
        }

        run("ip addr del 10.99.0.2/32 dev lo");  // No route any more.
        expect_refused(sender, *interconnect, ENETUNREACH);
        run("ip addr add 10.99.0.2/32 dev lo");
        expect_sent(sender, peer);

        run("ip addr del 10.99.0.1/32 dev lo");  // The own address is gone, as with its interface.
        EXPECT_EQ(sender.send().sent, 0U);
        run("ip addr add 10.99.0.1/32 dev lo");
        expect_sent(sender, peer);
    });
    if (why_not) {
        GTEST_SKIP() << *why_not;
    }
}

}  // namespace
}  // namespace css::netbeat
