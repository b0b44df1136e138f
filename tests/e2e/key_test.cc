#include <filesystem>

#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

/// The former key is refused from then on.
constexpr std::chrono::seconds kFormerCounts{31};

/// `crsctl replace css key`: from one key of the interconnect to the next without a stop.
class ReplaceKey : public ClusterTest {
protected:
    void expect_replaced(unsigned node) {
        const Finished done = lab_->crsctl(node, {"replace", "css", "key"});
        EXPECT_NE(done.out.find("The key was replaced on all members: its fingerprint is "),
                  std::string::npos)
            << done.out << done.err;
        EXPECT_EQ(done.status, 0);
    }
    [[nodiscard]] std::string next_key(unsigned node) const {
        return lab_->key_file(node) + ".new";
    }
};

TEST_F(ReplaceKey, WhileClientsActAndDaemonsAreKilled) {
    Lab& lab = form({});
    const Nanos begin = boottime_now();
    // One of them has no next key: nothing happens.
    lab.put_key(".new", {1, 2});
    const Finished refused = lab.crsctl(1, {"replace", "css", "key"});
    EXPECT_NE(refused.out.find("node node3: " + next_key(3) + ": there is no such file"),
              std::string::npos)
        << refused.out;
    EXPECT_EQ(refused.status, 1);
    std::filesystem::copy_file(next_key(1), next_key(3));
    expect_replaced(2);
    for (const unsigned node : lab.everybody()) {
        EXPECT_FALSE(std::filesystem::exists(next_key(node))) << node;
    }
    lab.watch_for(kFormerCounts);
    expect_nobody_evicted(begin);
    for (const unsigned node : lab.everybody()) {
        expect_acts(node, boottime_now());
    }
    // What the guardians say when the daemon dies is sealed with the key of now: the others need
    // not wait for misscount.
    const Nanos killed = boottime_now();
    lab.daemon(3).kill();
    const auto gone = lab.wait_told(1, complete({1, 2}), killed);
    ASSERT_TRUE(gone);
    EXPECT_LT(gone->time - killed, nanos(lab.options().misscount / 2)) << "nobody told them";
    // It starts with what is in its key file.
    const Nanos started = boottime_now();
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, started));
}

/// A node that was away all the time has only the former key; put the new one beside it.
TEST_F(ReplaceKey, ANodeThatWasAwayFollowsWithTheNewKeyBesideItsOwn) {
    Lab& lab = form({});
    const Nanos stopped = boottime_now();
    EXPECT_TRUE(lab.crsctl(3, {"stop", "css"}).ok());
    ASSERT_TRUE(lab.wait_complete({1, 2}, stopped));
    ASSERT_TRUE(lab.wait_ended(3));
    lab.put_key(".new", {1, 2});
    expect_replaced(1);
    std::filesystem::copy_file(lab.key_file(1), next_key(3));
    const Nanos started = boottime_now();
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete({1, 2, 3}, started));
    EXPECT_TRUE(lab.wait_until([&] { return !std::filesystem::exists(next_key(3)); }))
        << "it has moved";
}

}  // namespace
}  // namespace css::e2e
