#include "cssd/runtime/mailbox.h"

#include <thread>

#include <gtest/gtest.h>

namespace css::runtime {
namespace {

TEST(Mailbox, GivesItemsInOrderAndTurnsAwayWhatDoesNotFit) {
    Mailbox<int> box{2};
    EXPECT_TRUE(box.put(1));
    EXPECT_TRUE(box.put(2));
    EXPECT_FALSE(box.put(3));
    EXPECT_EQ(box.refused(), 1U);
    EXPECT_EQ(box.take(), 1);
    EXPECT_TRUE(box.put(4));
    EXPECT_EQ(box.take(), 2);
    EXPECT_EQ(box.take(), 4);
}

TEST(Mailbox, WhatWasPutBeforeClosingIsStillTaken) {
    Mailbox<int> box{2};
    EXPECT_TRUE(box.put(1));
    box.close();
    EXPECT_FALSE(box.put(2));
    EXPECT_EQ(box.take(), 1);
    EXPECT_EQ(box.take(), std::nullopt);
}

TEST(Mailbox, ClosingWakesTheTaker) {
    Mailbox<int> box{1};
    std::thread taker{[&box] { EXPECT_EQ(box.take(), std::nullopt); }};
    box.close();
    taker.join();
}

}  // namespace
}  // namespace css::runtime
