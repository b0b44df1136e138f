#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

class DiskLoss : public ClusterTest {
protected:
    /// The row of the table that names the path begins so.
    void expect_state(unsigned node, const std::string& path, const std::string& state) {
        const Finished asked = lab_->crsctl(node, {"query", "css", "votedisk"});
        EXPECT_TRUE(asked.ok());
        const auto at = asked.out.find("(" + path + ")");
        ASSERT_NE(at, std::string::npos) << asked.out;
        const auto row = asked.out.rfind('\n', at) + 1;
        EXPECT_EQ(asked.out.substr(row + 4, state.size()), state) << asked.out;
    }
};

TEST_F(DiskLoss, OneOfThreeHangsWithoutHarmAndComesBack) {
    Lab& lab = form({.disks = DiskKind::kFreezable});
    const std::string path = lab.disks().paths(1).at(1);
    const Nanos lost = boottime_now();
    lab.disks().freeze(2);
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.wait_told(node, told("votedisk_offline"), lost)) << "node " << node;
        expect_state(node, path, "OFFLINE");
    }
    // Two files still decide records.
    EXPECT_TRUE(lab.crsctl(2, {"set", "css", "disktimeout", "7"}).ok());
    const Nanos thawed = boottime_now();
    lab.disks().thaw(2);
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.wait_told(node, told("votedisk_online"), thawed)) << "node " << node;
        expect_state(node, path, "ONLINE");
        expect_acts(node, thawed);
    }
    expect_nobody_evicted(lost);
}

TEST_F(DiskLoss, OneOfThreeRefusesWritesWithoutHarm) {
    Lab& lab = form({});
    const Nanos lost = boottime_now();
    for (const unsigned node : lab.everybody()) {
        lab.disks().set_access(node, 3, Access::kReadOnly);
    }
    for (const unsigned node : lab.everybody()) {
        const auto offline = lab.wait_told(node, told("votedisk_offline"), lost);
        ASSERT_TRUE(offline) << "node " << node;
        EXPECT_EQ(offline->file, lab.disks().paths(node).at(2));
        expect_acts(node, offline->time);
    }
    EXPECT_NE(lab.alert_log(1).find("CRS-1604: CSSD voting file is offline: "), std::string::npos);
    expect_nobody_evicted(lost);
}

/// A process whose writes hang cannot leave the kernel before they return, so the daemons are seen
/// to go only after that; their clients go in time.
TEST_F(DiskLoss, TwoOfThreeEndEveryNode) {
    Lab& lab = form({.disks = DiskKind::kFreezable});
    const Nanos lost = boottime_now();
    lab.disks().freeze(1);
    lab.disks().freeze(2);
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.client(node).wait(kPatience)) << "node " << node;
        EXPECT_TRUE(lab.wait_told(node, told("lease_lost", node), lost)) << "node " << node;
        EXPECT_NE(lab.alert_log(node).find("CRS-1606: The number of voting files available, 1, is "
                                           "less than the minimum number of voting files "
                                           "required, 2,"),
                  std::string::npos)
            << lab.alert_log(node);
    }
    lab.disks().thaw(1);
    lab.disks().thaw(2);
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.wait_ended(node)) << "node " << node;
    }
}

TEST_F(DiskLoss, NodeThatLosesItsPathsToTwoOfThreeGoesAlone) {
    Lab& lab = form({});
    const Nanos lost = boottime_now();
    lab.disks().set_access(3, 1, Access::kReadOnly);
    lab.disks().set_access(3, 2, Access::kReadOnly);
    expect_survivors({1, 2}, lost);
}

TEST_F(DiskLoss, CutWhileOneFileIsLost) {
    Lab& lab = form({});
    for (const unsigned node : lab.everybody()) {
        lab.disks().set_access(node, 1, Access::kReadOnly);
    }
    const Nanos cut = boottime_now();
    lab.network().part({1, 2}, {3});
    expect_survivors({1, 2}, cut);
}

}  // namespace
}  // namespace css::e2e
