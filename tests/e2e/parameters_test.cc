#include "tests/e2e/cluster_test.h"

namespace css::e2e {
namespace {

/// SOURCES S1, rows 1.10 to 1.13, word for word, with the default time-outs.
class Parameters : public ClusterTest {
protected:
    void SetUp() override {
        ClusterTest::SetUp();
        if (IsSkipped() || HasFatalFailure()) {
            return;
        }
        ASSERT_TRUE(make({.misscount = std::chrono::seconds{30},
                          .disktimeout = std::chrono::seconds{200},
                          .reboottime = std::chrono::seconds{3}})
                        .form());
    }

    void expect_says(unsigned node, const Words& words, const std::string& out) {
        const Finished done = lab_->crsctl(node, words);
        EXPECT_EQ(done.out, out);
        EXPECT_EQ(done.err, "");
        EXPECT_EQ(done.status, 0);
    }
    void expect_refused(unsigned node, const Words& words, const std::string& reason) {
        const Finished done = lab_->crsctl(node, words);
        EXPECT_EQ(done.out, reason + "\nCRS-4000: Command Set failed, or completed with errors.\n");
        EXPECT_EQ(done.status, 1);
    }
    /// The same on every node.
    void expect_value(const std::string& parameter, const std::string& value) {
        for (const unsigned node : lab_->everybody()) {
            expect_says(node,
                        {"get", "css", parameter},
                        "CRS-4678: Successful get " + parameter + " " + value +
                            " for Cluster Synchronization Services.\n");
        }
    }
    void expect_set(unsigned node, const std::string& parameter, const std::string& value) {
        expect_says(node,
                    {"set", "css", parameter, value},
                    "CRS-4684: Successful set of parameter " + parameter + " to " + value +
                        " for Cluster Synchronization Services.\n");
    }
};

TEST_F(Parameters, S1_10_Defaults) {
    expect_value("misscount", "30");
    expect_value("disktimeout", "200");
    expect_value("reboottime", "3");
}

TEST_F(Parameters, S1_11_SetOnOneNodeSeenOnAll) {
    expect_set(2, "misscount", "50");
    expect_value("misscount", "50");
    const auto said = lab_->wait_told(1, told("parameter"));
    ASSERT_TRUE(said);
    EXPECT_NE(said->reason.find("misscount 50"), std::string::npos) << said->reason;
}

TEST_F(Parameters, S1_12_ConflictsAreRefusedInOraclesWords) {
    expect_set(2, "misscount", "50");
    expect_refused(1,
                   {"set", "css", "disktimeout", "50"},
                   "CRS-4696: Failed to set parameter disktimeout to 50 due to conflicting "
                   "parameter misscount; the new value for disktimeout must be greater than 50.");
    expect_value("disktimeout", "200");
    expect_set(1, "disktimeout", "51");
    expect_value("disktimeout", "51");
    expect_refused(3,
                   {"set", "css", "misscount", "51"},
                   "CRS-4696: Failed to set parameter misscount to 51 due to conflicting "
                   "parameter disktimeout; the new value for misscount must be less than 51.");
    expect_refused(3,
                   {"set", "css", "misscount", "3"},
                   "CRS-4696: Failed to set parameter misscount to 3 due to conflicting "
                   "parameter reboottime; the new value for misscount must be greater than 3.");
    expect_refused(3,
                   {"set", "css", "reboottime", "50"},
                   "CRS-4696: Failed to set parameter reboottime to 50 due to conflicting "
                   "parameter misscount; the new value for reboottime must be less than 50.");
    expect_value("misscount", "50");
    expect_value("reboottime", "3");
}

TEST_F(Parameters, S1_13_OverflowsNeverWrap) {
    expect_set(2, "misscount", "50");
    // The article's four values, then others that a careless parser would take.
    for (const std::string value : {"10000000000000",
                                    "9000000000",
                                    "99999999999",
                                    "2200099999",
                                    "4294967396",
                                    "18446744073709551716",
                                    "86401",
                                    "-1",
                                    "-100",
                                    "1e3",
                                    "0x64",
                                    "100x",
                                    " 100 x"}) {
        expect_refused(1,
                       {"set", "css", "disktimeout", value},
                       "Invalid value " + value +
                           " for parameter disktimeout: give a whole number of seconds from 51 "
                           "to 86400.");
        expect_refused(1,
                       {"set", "css", "misscount", value},
                       "Invalid value " + value +
                           " for parameter misscount: give a whole number of seconds from 4 "
                           "to 199.");
    }
    expect_value("misscount", "50");
    expect_value("disktimeout", "200");
    expect_value("reboottime", "3");
}

TEST_F(Parameters, UnsetGoesBackToTheDefault) {
    expect_set(2, "misscount", "50");
    expect_says(3,
                {"unset", "css", "misscount"},
                "CRS-4647: Configuration parameter misscount is reset to default operation "
                "value.\n");
    expect_value("misscount", "30");
}

TEST_F(Parameters, OutliveARestartOfTheWholeCluster) {
    expect_set(1, "misscount", "15500ms");
    expect_value("misscount", "15500ms");
    ASSERT_TRUE(lab_->crsctl(1, {"stop", "cluster", "-all"}).ok());
    for (const unsigned node : lab_->everybody()) {
        EXPECT_TRUE(lab_->wait_silent(node));
    }
    ASSERT_TRUE(lab_->form());
    expect_value("misscount", "15500ms");
}

}  // namespace
}  // namespace css::e2e
