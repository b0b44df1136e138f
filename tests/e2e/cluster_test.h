#pragma once

#include <cstdlib>
#include <memory>

#include <gtest/gtest.h>

#include "tests/e2e/harness/lab.h"

namespace css::e2e {

/// One lab a test, its invariants checked at the end whatever the test was about.
class ClusterTest : public ::testing::Test {
protected:
    void SetUp() override {
        const std::string missing = missing_here();
        if (missing.empty()) {
            return;
        }
        if (std::getenv("CI") != nullptr) {
            FAIL() << "may not be skipped here, but " << missing;
        }
        GTEST_SKIP() << "SKIPPED, NOT TESTED: " << missing;
    }

    void TearDown() override {
        if (lab_ == nullptr) {
            return;
        }
        for (const std::string& violation : lab_->violations()) {
            ADD_FAILURE() << violation;
        }
        if (HasFailure()) {
            std::cerr << lab_->story();
        }
    }

    Lab& make(const LabOptions& options) {
        lab_ = std::make_unique<Lab>(options);
        return *lab_;
    }

    /// A formed cluster with a client that acts on every node.
    Lab& form(const LabOptions& options) {
        Lab& lab = make(options);
        EXPECT_TRUE(lab.form()) << "no record of all nodes is complete on all nodes";
        for (const unsigned node : lab.everybody()) {
            lab.start_client(node);
        }
        for (const unsigned node : lab.everybody()) {
            expect_acts(node, 0);
        }
        return lab;
    }

    /// The client of this node acts at some time after `since`.
    void expect_acts(unsigned node, Nanos since) {
        const Nanos deadline = boottime_now() + nanos(kPatience);
        while (lab_->last_client_line(node) <= since && boottime_now() < deadline) {
            lab_->watch_for(milliseconds{20});
        }
        EXPECT_GT(lab_->last_client_line(node), since) << "client of node " << node;
    }

    /// Exactly these stay: they are told so, and every other daemon and client has ended.
    void expect_survivors(const Members& survivors, Nanos since) {
        EXPECT_TRUE(lab_->wait_complete(survivors, since));
        for (const unsigned node : lab_->everybody()) {
            if (survivors.contains(node)) {
                EXPECT_TRUE(lab_->daemon(node).running()) << "node " << node;
            } else {
                EXPECT_TRUE(lab_->wait_ended(node)) << "node " << node;
            }
        }
        const Nanos settled = boottime_now();
        for (const unsigned node : survivors) {
            expect_acts(node, settled);
        }
    }

    /// For a node that stays dark after a power cut: how it ended, the others can only wait for, or
    /// learn from this fence command.
    static LabOptions dark_node(const std::string& fence_command) {
        return {.misscount = milliseconds{6000},
                .disktimeout = milliseconds{20'000},
                .reboottime = milliseconds{3000},
                .more_configuration = "fence_command = " + fence_command + "\n"};
    }

    /// Power fails everywhere, at `cut`; node 3 stays dark, and the others go on without it.
    void power_returns_without_node3(Nanos& cut) {
        cut = boottime_now();
        for (const unsigned node : lab_->everybody()) {
            (void)lab_->power_off(node);
        }
        ASSERT_TRUE(lab_->start(1));
        ASSERT_TRUE(lab_->start(2));
        ASSERT_TRUE(lab_->wait_complete({1, 2}, cut));
    }

    /// Nobody was dropped since then.
    void expect_nobody_evicted(Nanos since) {
        for (const unsigned teller : lab_->everybody()) {
            for (const Told& event : lab_->told_by(teller)) {
                const bool loss = event.type == "evict" || event.type == "lease_lost";
                EXPECT_FALSE(event.time >= since && loss)
                    << event.type << " of node " << event.node << ": " << event.reason;
            }
        }
    }

    std::unique_ptr<Lab> lab_;
};

}  // namespace css::e2e
