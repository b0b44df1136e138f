#include <algorithm>
#include <fstream>

#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

struct Hung {
    unsigned files;
    unsigned hung;  ///< The first ones.
};

/// Threads of the process that wait for the kernel and cannot be ended.
unsigned stuck_threads(pid_t pid) {
    unsigned stuck = 0;
    for (const auto& thread : threads_of(pid)) {
        std::ifstream file{thread / "stat"};
        std::string text;
        std::getline(file, text);
        const auto name_end = text.rfind(')');
        stuck += name_end != std::string::npos && text.substr(name_end + 2, 1) == "D" ? 1U : 0U;
    }
    return stuck;
}

class HungStorage : public ClusterTest {
protected:
    void hang(unsigned node, unsigned files) {
        for (unsigned file = 1; file <= files; ++file) {
            lab_->disks().fault(node, file, "hang");
        }
    }
};

class HungMinority : public HungStorage, public ::testing::WithParamInterface<Hung> {};

TEST_P(HungMinority, NobodyFeelsIt) {
    const auto [files, hung] = GetParam();
    Lab& lab = form({.files = files, .disks = DiskKind::kFaulty});
    const Nanos begin = boottime_now();
    for (const unsigned node : lab.everybody()) {
        hang(node, hung);
    }
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.wait_told(node, told("votedisk_offline"), begin)) << "node " << node;
    }
    // Commands answer, no thread is stuck, and clients go on all the time.
    std::vector<double> answers;
    for (unsigned i = 0; i < 20; ++i) {
        for (const unsigned node : lab.everybody()) {
            const Nanos asked = boottime_now();
            EXPECT_TRUE(lab.crsctl(node, {"query", "css", "votedisk"}).ok());
            answers.push_back(as_millis(boottime_now() - asked));
            EXPECT_EQ(stuck_threads(lab.daemon(node).pid()), 0U) << "node " << node;
        }
        lab.watch_for(milliseconds{100});
    }
    std::ranges::sort(answers);
    RecordProperty("answer_ms_median", std::to_string(answers[answers.size() / 2]));
    RecordProperty("answer_ms_most", std::to_string(answers.back()));
    EXPECT_LT(answers[answers.size() / 2], 100);
    for (const unsigned node : lab.everybody()) {
        const auto paths = lab.first_set(node);
        for (const Told& event : lab.told_by(node)) {
            const bool late = event.type == "votedisk_warning" || event.type == "votedisk_offline";
            const auto at = std::ranges::find(paths, event.file);
            EXPECT_FALSE(event.time >= begin && late && at - paths.begin() >= hung)
                << event.type << " of " << event.file;
        }
    }
    expect_nobody_evicted(begin);

    // A node stops cleanly meanwhile, and starts.
    const Nanos stopped = boottime_now();
    EXPECT_TRUE(lab.crsctl(3, {"stop", "css"}).ok());
    EXPECT_TRUE(lab.daemon(3).wait(kPatience));
    EXPECT_EQ(lab.daemon(3).status(), 0);
    EXPECT_TRUE(lab.wait_complete({1, 2}, stopped));
    ASSERT_TRUE(lab.start(3));
    EXPECT_TRUE(lab.wait_complete(lab.everybody(), stopped));

    // What hung comes back by itself.
    const Nanos cleared = boottime_now();
    lab.disks().clear_faults();
    for (const unsigned node : lab.everybody()) {
        EXPECT_TRUE(lab.wait_told(node, told("votedisk_online"), cleared)) << "node " << node;
    }
    expect_nobody_evicted(begin);
}

INSTANTIATE_TEST_SUITE_P(OfFiles,
                         HungMinority,
                         ::testing::Values(Hung{3, 1}, Hung{5, 2}),
                         [](const ::testing::TestParamInfo<Hung>& given) {
                             return std::to_string(given.param.hung) + "Of" +
                                    std::to_string(given.param.files);
                         });

/// The node says so in time, and stops when it promised to.
TEST_F(HungStorage, AMajorityEndsTheNodeWithWarnings) {
    Lab& lab = form({.disks = DiskKind::kFaulty});
    const Nanos begin = boottime_now();
    hang(3, 2);
    const auto lost = lab.wait_told(3, told("lease_lost", 3), begin);
    ASSERT_TRUE(lost);
    const double took = as_millis(lost->time - begin);
    const auto disktimeout = static_cast<double>(lab.options().disktimeout.count());
    EXPECT_GT(took, disktimeout / 2);
    EXPECT_LT(took, disktimeout + 200);
    EXPECT_TRUE(lab.client(3).wait(kPatience));
    EXPECT_LT(lab.last_client_line(3), begin + nanos(lab.options().disktimeout) + 200'000'000);
    const std::string alert = lab.alert_log(3);
    for (const char* code : {"CRS-1615: No I/O has completed after 50%",
                             "CRS-1614: No I/O has completed after 75%",
                             "CRS-1613: No I/O has completed after 90%",
                             "CRS-1606: The number of voting files available, 1, is less than the "
                             "minimum number of voting files required, 2,"}) {
        EXPECT_NE(alert.find(code), std::string::npos) << code << " is not in\n" << alert;
    }
    EXPECT_TRUE(lab.wait_complete({1, 2}, begin));
    lab.disks().clear_faults();
    EXPECT_TRUE(lab.wait_ended(3));
}

}  // namespace
}  // namespace css::e2e
