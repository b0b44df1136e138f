#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <poll.h>
#include <sys/resource.h>

#include "cssd/client/css.h"
#include "tests/e2e/bench/table.h"

namespace css::e2e::bench {
namespace {

constexpr std::size_t kClients = 10'000;
constexpr const char* kGroup = "bench";
constexpr std::int64_t kPatienceNanos = 20'000'000'000;

struct Disconnect {
    void operator()(css_t* css) const {
        // This process is not to be killed when the lab ends.
        (void)css_unregister_self(css);
        css_disconnect(css);
    }
};
using Handle = std::unique_ptr<css_t, Disconnect>;

/// Null, with a line on stderr: it failed.
Handle connected_to(const Lab& lab, unsigned node) {
    css_t* css = nullptr;
    if (const int failed = css_connect(lab.run_dir(node).c_str(), &css); failed != 0) {
        std::fprintf(stderr, "css_connect: %s\n", std::strerror(-failed));
        return nullptr;
    }
    return Handle{css};
}

/// Connected and registered; null, with a line on stderr: it failed.
Handle client_of(const Lab& lab, unsigned node) {
    Handle handle = connected_to(lab, node);
    if (handle == nullptr) {
        return nullptr;
    }
    if (const int failed = css_register_self(handle.get()); failed != 0) {
        std::fprintf(stderr, "css_register_self: %s\n", std::strerror(-failed));
        return nullptr;
    }
    return handle;
}

bool print(const char* name, double value, const char* unit, double bound) {
    const bool good = value >= 0 && value <= bound;
    std::printf("%-52s %10.3f %-3s %10.0f   %s\n", name, value, unit, bound, good ? "ok" : "NO");
    return good;
}

/// Nanoseconds of one css_may_act(), the middle of many batches; negative: it said no.
double may_act_nanos(const css_t* css) {
    constexpr int kBatch = 10'000;
    std::vector<double> batches;
    for (int batch = 0; batch < 500; ++batch) {
        std::uint64_t token = 0;
        int yes = 0;
        const Nanos begin = boottime_now();
        for (int i = 0; i < kBatch; ++i) {
            yes += css_may_act(css, &token);
        }
        batches.push_back(static_cast<double>(boottime_now() - begin) / kBatch);
        if (yes != kBatch) {
            return -1;
        }
    }
    return median(batches);
}

bool published(css_t* css) {
    pollfd event{css_event_fd(css), POLLIN, 0};
    const auto seen = std::make_unique<css_event_t>();
    for (;;) {
        const int got = css_next_event(css, seen.get());
        if (got == 0 && seen->type == CSS_EVENT_PUBLISHED) {
            return true;
        }
        if (got != 0 && (got != -EAGAIN || ::poll(&event, 1, 20'000) != 1)) {
            return false;
        }
    }
}

/// Milliseconds from a call of css_group_publish() on node 1 until a member on each node has the
/// data; negative: it failed.
double publish_millis(const std::array<Handle, 3>& members, std::size_t size) {
    const std::vector<unsigned char> data(size, 0x5A);
    std::vector<double> times;
    for (int round = 0; round < 200; ++round) {
        const Nanos begin = boottime_now();
        css_t* const css = members.front().get();
        if (css_group_publish(css, kGroup, data.data(), size, kPatienceNanos) != 0) {
            return -1;
        }
        for (const Handle& member : members) {
            if (!published(member.get())) {
                return -1;
            }
        }
        times.push_back(as_millis(boottime_now() - begin));
    }
    return median(times);
}

bool join(const std::array<Handle, 3>& members) {
    return std::ranges::all_of(members, [](const Handle& member) {
        return member != nullptr && css_event_fd(member.get()) >= 0 &&
               css_group_join(member.get(), kGroup, nullptr, 0, nullptr, kPatienceNanos) == 0;
    });
}

/// A daemon has three descriptors for a registered client, and one for one that is only connected.
std::size_t registered_at_most(rlim_t descriptors) {
    constexpr rlim_t kOthers = 500;
    return descriptors < kClients + kOthers
               ? 0
               : std::min<std::size_t>(kClients, (descriptors - kClients - kOthers) / 2);
}

/// All that are registered may act, the daemon answers as before, and nobody was suspected
/// meanwhile.
bool measure_many(Lab& lab, std::size_t registered) {
    const Nanos begin = boottime_now();
    std::vector<Handle> clients;
    while (clients.size() < kClients) {
        clients.push_back(clients.size() < registered ? client_of(lab, 1) : connected_to(lab, 1));
        if (clients.back() == nullptr) {
            std::printf("only %zu clients could be connected\n", clients.size() - 1);
            return false;
        }
    }
    const double each = as_millis(boottime_now() - begin) / static_cast<double>(kClients);
    const auto acting = std::ranges::count_if(
        clients, [](const Handle& client) { return css_may_act(client.get(), nullptr) == 1; });
    std::vector<double> answers;
    for (int i = 0; i < 20; ++i) {
        const Nanos asked = boottime_now();
        if (!lab.crsctl(1, {"query", "css", "members"}).ok()) {
            return false;
        }
        answers.push_back(as_millis(boottime_now() - asked));
    }
    const bool calm = !lab.wait_told(2, told("suspect"), begin, milliseconds{2000}) &&
                      !lab.wait_told(1, told("suspect"), begin, milliseconds{10});
    std::printf("%zu clients connected to one node, %zu of them registered, %td may act%s\n",
                clients.size(),
                registered,
                acting,
                calm ? "" : "; A NODE WAS SUSPECTED");
    bool good = print("  to connect (and register) one", each, "ms", 5);
    good = print("  crsctl query css members with all of them", median(answers), "ms", 100) && good;
    return good && calm && acting == static_cast<std::ptrdiff_t>(registered);
}

}  // namespace

bool client() {
    rlimit files{};
    (void)::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
    Lab lab{{.misscount = std::chrono::seconds{30},
             .disktimeout = std::chrono::seconds{200},
             .reboottime = std::chrono::seconds{3},
             .fence_action = "kill-clients"}};
    if (!lab.form()) {
        std::printf("the cluster did not form\n");
        return false;
    }
    const std::array<Handle, 3> members{client_of(lab, 1), client_of(lab, 2), client_of(lab, 3)};
    if (!join(members) || css_wait_active(members.front().get(), kPatienceNanos) != 0) {
        std::printf("the clients could not join a group\n");
        return false;
    }
    std::printf("Three nodes, default time-outs. Middle values.\n\n");
    bool good = print("css_may_act()", may_act_nanos(members.front().get()), "ns", 100);
    good = print("css_group_publish() of 100 bytes to all 3 nodes",
                 publish_millis(members, 100),
                 "ms",
                 5) &&
           good;
    good = print("css_group_publish() of 4096 bytes to all 3 nodes",
                 publish_millis(members, CSS_DATA_MAX),
                 "ms",
                 5) &&
           good;
    return measure_many(lab, registered_at_most(files.rlim_cur)) && good;
}

}  // namespace css::e2e::bench
