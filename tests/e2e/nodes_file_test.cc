#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

/// SOURCES 2.3: the nodes file is read again by all members of a running cluster, or by none.
class NodesFile : public ClusterTest {
protected:
    void expect_reload(unsigned node, const std::string& out, int status) {
        const Finished done = lab_->crsctl(node, {"reload", "css", "nodes"});
        EXPECT_NE(done.out.find(out), std::string::npos) << done.out;
        EXPECT_EQ(done.status, status);
    }
};

TEST_F(NodesFile, S2_3_ANodeIsAddedAtTheEnd) {
    Lab& lab = make({.nodes = 3});
    lab.write_nodes_file(1, 2);
    lab.write_nodes_file(2, 2);
    const Nanos begin = boottime_now();
    ASSERT_TRUE(lab.start(1));
    ASSERT_TRUE(lab.start(2));
    ASSERT_TRUE(lab.wait_complete({1, 2}, begin));
    for (const unsigned node : {1U, 2U}) {
        lab.start_client(node);
        expect_acts(node, 0);
    }

    // Only one of them has the new line: refused, and it says where they differ.
    lab.write_nodes_file(1, 3);
    expect_reload(1, "line 3 is 'node3 ", 1);
    expect_reload(2, "and 'node3 ", 1);
    expect_reload(2, "Nothing was changed.", 1);

    lab.write_nodes_file(2, 3);
    expect_reload(2, "The nodes file was read again on all members: 3 nodes.", 0);
    const Nanos reloaded = boottime_now();
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, reloaded));
    lab.start_client(3);
    for (const unsigned node : lab.everybody()) {
        expect_acts(node, reloaded);
    }
    expect_nobody_evicted(begin);

    // A member is not taken out of the file; one that has stopped is.
    lab.write_nodes_file(1, 2);
    lab.write_nodes_file(2, 2);
    expect_reload(1, "stop it first", 1);
    const Nanos stopped = boottime_now();
    EXPECT_TRUE(lab.crsctl(3, {"stop", "css"}).ok());
    ASSERT_TRUE(lab.wait_complete({1, 2}, stopped));
    expect_reload(1, "The nodes file was read again on all members: 2 nodes.", 0);
    EXPECT_EQ(lab.olsnodes(1, {}).out, "node1\nnode2\n");
}

}  // namespace
}  // namespace css::e2e
