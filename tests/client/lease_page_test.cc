#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cssd/client/lease_page_writer.h"

namespace css::client {
namespace {

Instance life(std::uint32_t unique) {
    return Instance{NodeNumber{3}, Unique{unique}};
}

LeaseState state(std::uint64_t k, bool may_act = true) {
    return LeaseState{.instance = life(7),
                      .end = Instant{Duration{static_cast<std::int64_t>(k * 1000)}},
                      .token = Incarnation{k},
                      .may_act = may_act};
}

class LeasePageTest : public ::testing::Test {
protected:
    LeasePageTest() : writer_(LeasePageWriter::create().value()) {
        memory_ = mmap(nullptr, kLeasePageSize, PROT_READ, MAP_SHARED, writer_.reader_fd(), 0);
    }
    ~LeasePageTest() override { munmap(memory_, kLeasePageSize); }
    const LeasePage& page() const { return *static_cast<const LeasePage*>(memory_); }

    LeasePageWriter writer_;
    void* memory_ = MAP_FAILED;
};

TEST_F(LeasePageTest, NewOneSaysNo) {
    EXPECT_EQ(page().magic.load(), kLeasePageMagic);
    EXPECT_FALSE(read_lease(page()).may_act);
}

TEST_F(LeasePageTest, ShowsWhatWasPublished) {
    writer_.publish(state(5));
    const LeaseView view = read_lease(page());
    EXPECT_TRUE(view.may_act);
    EXPECT_EQ(view.end, 5000);
    EXPECT_EQ(view.token, 5U);
    EXPECT_EQ(view.instance, (std::uint64_t{3} << 32) | 7);
}

TEST_F(LeasePageTest, RevokedIsForGood) {
    writer_.publish(state(5));
    writer_.revoke();
    writer_.publish(state(6));
    EXPECT_FALSE(read_lease(page()).may_act);
}

TEST_F(LeasePageTest, TheWriterRevokesWhenItGoes) {
    {
        const LeasePageWriter moved{std::move(writer_)};
        EXPECT_EQ(page().revoked.load(), 0U);
    }
    EXPECT_EQ(page().revoked.load(), 1U);
}

TEST_F(LeasePageTest, AWriterThatStoppedInTheMiddleOfAChangeMeansNo) {
    writer_.publish(state(5));
    void* memory =
        mmap(nullptr, kLeasePageSize, PROT_READ | PROT_WRITE, MAP_SHARED, writer_.fd(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    static_cast<LeasePage*>(memory)->sequence.fetch_add(1);
    EXPECT_FALSE(read_lease(page()).may_act);
    munmap(memory, kLeasePageSize);
}

TEST_F(LeasePageTest, ClientsCannotWriteAndNobodyCanShrinkIt) {
    EXPECT_EQ(
        mmap(nullptr, kLeasePageSize, PROT_READ | PROT_WRITE, MAP_SHARED, writer_.reader_fd(), 0),
        MAP_FAILED);
    EXPECT_NE(ftruncate(writer_.fd(), 0), 0);
}

TEST_F(LeasePageTest, AnInstanceThatActedIsNotFollowedOnTheSamePage) {
    writer_.publish(state(5, false));
    LeaseState next = state(6);
    next.instance = life(8);
    writer_.publish(next);  // The first never acted.
    next.instance = life(9);
    EXPECT_DEATH(writer_.publish(next), "check failed");
}

/// Every view that says yes is one that was published: token and end belong together.
TEST_F(LeasePageTest, ReadersNeverSeeAMixtureOfTwoStates) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> mixed{0};
    std::atomic<std::uint64_t> seen{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            std::uint64_t last = 0;
            while (!stop.load(std::memory_order_relaxed)) {
                const LeaseView view = read_lease(page());
                if (!view.may_act) {
                    continue;
                }
                const bool whole = view.end == static_cast<std::int64_t>(view.token * 1000);
                mixed += whole && view.token >= last ? 0 : 1;
                last = view.token;
                seen += 1;
            }
        });
    }
    std::uint64_t k = 1;
    for (; k < 200'000 || (seen.load() < 1000 && k < 100'000'000); ++k) {
        writer_.publish(state(k));
    }
    stop = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    EXPECT_EQ(mixed.load(), 0U);
    EXPECT_GE(seen.load(), 1000U);
}

}  // namespace
}  // namespace css::client
