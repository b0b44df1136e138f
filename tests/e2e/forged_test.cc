#include "tests/e2e/cluster_test.h"
#include "tests/e2e/harness/wire.h"

namespace css::e2e {
namespace {

class Forged : public ClusterTest {};

/// Captured before and after a new life of node 3, replayed and changed in every way, 20,000 a
/// second: nobody is suspected, nobody stops, and nothing is believed.
TEST_F(Forged, NothingIsBelieved) {
    Lab& lab = form({});
    Wire to_victim{lab.network().namespace_of(1)};
    std::vector<Frame> captured = to_victim.capture(milliseconds{1500});
    const Nanos restarted = boottime_now();
    lab.daemon(3).kill();
    ASSERT_TRUE(lab.start(3));
    ASSERT_TRUE(lab.wait_complete(lab.everybody(), restarted));
    lab.start_client(3);
    expect_acts(3, boottime_now());
    for (Frame& frame : to_victim.capture(milliseconds{1500})) {
        captured.push_back(std::move(frame));
    }
    ASSERT_GT(captured.size(), 20U);

    const Nanos begin = boottime_now();
    Forgery forgery{std::move(captured), 1};
    Wire attacker{lab.network().namespace_of(2)};
    flood(lab, forgery, attacker, 60'000, 20'000);
    const Nanos over = boottime_now();
    for (const unsigned node : lab.everybody()) {
        expect_acts(node, over);
    }
    // They have come, and each kind was looked at.
    const std::string trace = lab.trace(1);
    for (const char* why : {"not from a configured address",
                            "too short",
                            "too long",
                            "not a heartbeat of ours",
                            "sender number is not that of its address",
                            "not sealed with this cluster's key"}) {
        EXPECT_NE(trace.find(why), std::string::npos) << "none was refused as " << why;
    }
    expect_nobody_evicted(begin);
    EXPECT_FALSE(lab.wait_told(1, told("suspect"), begin, milliseconds{0}));
    EXPECT_FALSE(lab.wait_told(1, told("decided"), begin, milliseconds{0}));
}

}  // namespace
}  // namespace css::e2e
