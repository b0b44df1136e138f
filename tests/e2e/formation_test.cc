#include <algorithm>

#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

class Formation : public ClusterTest, public ::testing::WithParamInterface<unsigned> {};

TEST_P(Formation, EveryNodeJoinsAndActs) {
    Lab& lab = form({.nodes = GetParam()});
    std::string names;
    for (const unsigned node : lab.everybody()) {
        names += node_name(node) + " ";
    }
    for (const unsigned node : lab.everybody()) {
        EXPECT_NE(lab.alert_log(node).find("CRS-1713: CSSD daemon is started in clustered mode"),
                  std::string::npos);
        EXPECT_NE(lab.alert_log(node).find("Active nodes are " + names + "."), std::string::npos);
    }
    expect_nobody_evicted(0);
}

INSTANTIATE_TEST_SUITE_P(Of, Formation, ::testing::Values(1U, 2U, 3U, 5U));

class Shapes : public ClusterTest {};

TEST_F(Shapes, PlainFiles) {
    form({.disks = DiskKind::kPlain});
    expect_nobody_evicted(0);
}

TEST_F(Shapes, SectorsOf4096Bytes) {
    form({.nodes = 2, .sector_size = 4096});
    expect_nobody_evicted(0);
}

TEST_F(Shapes, OneFileAndTwoInterconnects) {
    Lab& lab = form({.nodes = 2, .networks = 2, .files = 1});
    EXPECT_TRUE(lab.crsctl(1, {"check", "css"}).ok());
    expect_nobody_evicted(0);
}

TEST_F(Shapes, NothingIsSaidWhileNothingHappens) {
    Lab& lab = form({});
    const Nanos begin = boottime_now();
    lab.watch_for(2 * lab.options().misscount);
    for (const unsigned node : lab.everybody()) {
        for (const Told& event : lab.told_by(node)) {
            EXPECT_LT(event.time, begin) << "node " << node << " says " << event.type;
        }
        expect_acts(node, begin);
    }
}

}  // namespace
}  // namespace css::e2e
