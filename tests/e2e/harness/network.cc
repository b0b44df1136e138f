#include "tests/e2e/harness/network.h"

#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/e2e/harness/process.h"

namespace css::e2e {
namespace {

/// A new, empty network namespace that lives as long as the descriptor.
UniqueFd new_namespace() {
    int fd = -1;
    // A namespace belongs to a thread: only the helper moves.
    std::thread{[&fd] {
        if (::unshare(CLONE_NEWNET) == 0) {
            fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        }
    }}.join();
    CSS_CHECK(fd >= 0);
    return UniqueFd{fd};
}

std::string text(unsigned number) {
    return std::to_string(number);
}

}  // namespace

Network::Network(unsigned nodes, unsigned networks)
    : nodes_(nodes), networks_(networks), hub_(new_namespace()) {
    std::string commands;
    for (unsigned k = 1; k <= networks; ++k) {
        commands += "link add br" + text(k) + " type bridge forward_delay 0\n";
        commands += "link set br" + text(k) + " up\n";
    }
    must_run({"ip", "-batch", "-"}, hub_.get(), commands);
    for (unsigned n = 1; n <= nodes; ++n) {
        namespaces_.push_back(new_namespace());
        make_node(n);
    }
}

void Network::make_node(unsigned node) {
    const std::string self =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(namespace_of(node));
    std::string outside;
    std::string inside = "link set lo up\n";
    for (unsigned k = 1; k <= networks_; ++k) {
        const std::string near = "v" + text(node) + "n" + text(k);
        const std::string far = "eth" + text(k - 1);
        outside += "link add " + near + " type veth peer name " + far + " netns " + self + "\n";
        outside += "link set " + near + " master br" + text(k) + " up\n";
        inside += "addr add " + address(node, k) + "/24 dev " + far + "\n";
        inside += "link set " + far + " up\n";
    }
    must_run({"ip", "-batch", "-"}, hub_.get(), outside);
    must_run({"ip", "-batch", "-"}, namespace_of(node), inside);
}

int Network::namespace_of(unsigned node) const {
    return namespaces_.at(node - 1).get();
}

std::string Network::address(unsigned node, unsigned network) const {
    return "10." + text(70 + network) + ".0." + text(node);
}

void Network::restore_rules(unsigned node, const std::string& rules) const {
    must_run({"iptables-restore", "-w", "10", "--noflush"},
             namespace_of(node),
             "*filter\n" + rules + "COMMIT\n");
}

std::string Network::drop_from(unsigned node, unsigned network) const {
    return "-A INPUT -s " + address(node, network) + " -j DROP\n";
}

void Network::deafen(unsigned node, const std::vector<unsigned>& others) {
    std::string rules;
    for (const unsigned other : others) {
        for (unsigned k = 1; k <= networks_; ++k) {
            rules += drop_from(other, k);
        }
    }
    restore_rules(node, rules);
}

void Network::deafen_on(unsigned network, unsigned node, unsigned other) {
    restore_rules(node, drop_from(other, network));
}

void Network::lose(unsigned node, unsigned percent) {
    CSS_CHECK(percent < 100);
    const std::string share = (percent < 10 ? "0.0" : "0.") + text(percent);
    std::string rules;
    for (unsigned k = 1; k <= networks_; ++k) {
        rules += "-A INPUT -i eth" + text(k - 1) + " -m statistic --mode random --probability " +
                 share + " -j DROP\n";
    }
    restore_rules(node, rules);
}

void Network::part(const std::vector<unsigned>& one, const std::vector<unsigned>& other) {
    for (const unsigned node : one) {
        deafen(node, other);
    }
    for (const unsigned node : other) {
        deafen(node, one);
    }
}

void Network::throttle(unsigned node, unsigned kilobits_a_second) {
    throttled_.insert(node);
    std::string limits;
    for (unsigned k = 1; k <= networks_; ++k) {
        limits += "qdisc replace dev eth" + text(k - 1) + " root tbf rate " +
                  text(kilobits_a_second) + "kbit burst 1600 latency 200ms\n";
    }
    must_run({"tc", "-batch", "-"}, namespace_of(node), limits);
}

void Network::heal() {
    for (unsigned node = 1; node <= nodes_; ++node) {
        must_run({"iptables", "-w", "10", "-F", "INPUT"}, namespace_of(node));
    }
    for (const unsigned node : throttled_) {
        std::string limits;
        for (unsigned k = 1; k <= networks_; ++k) {
            limits += "qdisc delete dev eth" + text(k - 1) + " root\n";
        }
        must_run({"tc", "-batch", "-"}, namespace_of(node), limits);
    }
    throttled_.clear();
}

}  // namespace css::e2e
