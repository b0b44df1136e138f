#include "voting/io/disk_thread.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/voting_io/disks.h"
#include "tests/voting_io/ping_fixture.h"
#include "voting/format/codec.h"
#include "voting/format/format.h"

namespace css::test {
namespace {

using ::testing::HasSubstr;
using voting::DiskThread;
using voting::Header;
using voting::Layout;

class DiskThreadTest : public ::testing::Test {
protected:
    void SetUp() override { format(make_header()); }

    void format(const Header& header) {
        header_ = header;
        write_file(path_, 0, voting::formatted_image(header));
    }

    [[nodiscard]] voting::Heartbeat heartbeat_on_disk(NodeNumber node) const {
        const voting::Extent h{layout_.slot(node).offset, layout_.sector_size()};
        const std::vector<std::byte> bytes = read_file(path_, h.offset, h.size);
        voting::Heartbeat heartbeat;
        EXPECT_EQ(voting::decode_heartbeat(header_.identity(), node, bytes, heartbeat),
                  SectorVerdict::kValid);
        return heartbeat;
    }

    TemporaryDirectory directory_;
    const std::string path_ = directory_.file("vote1");
    Header header_;
    const Layout layout_{512};
};

/// How often the thread has slept and been woken, in all.
long switches(const std::filesystem::path& task) {
    std::ifstream status{task / "status"};
    std::string word;
    long sum = 0;
    while (status >> word) {
        if (word == "voluntary_ctxt_switches:" || word == "nonvoluntary_ctxt_switches:") {
            long count = 0;
            status >> count;
            sum += count;
        }
    }
    return sum;
}

TEST_F(DiskThreadTest, WritesOwnSlotAndKillBlocksThenReadsThemBack) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    EXPECT_EQ(ping.opened().front(), header_);
    ASSERT_TRUE(ping.own_slot());

    const KillBlock kill{.victim = Unique{9},
                         .incarnation = Incarnation{3},
                         .evictor = NodeNumber{1},
                         .reason = KillReason::kLinkLost};
    const auto cycle = ping.cycle(5, make_own(41), {{NodeNumber{3}, kill}, {NodeNumber{4}, kill}});
    ASSERT_TRUE(cycle);
    EXPECT_EQ(cycle->outcome, core::CycleOutcome::kDone);
    EXPECT_TRUE(cycle->own_as_written);
    ASSERT_EQ(cycle->slots.size(), 4U);
    EXPECT_EQ(cycle->slots[0].heartbeat.sequence, Sequence{41});
    EXPECT_NE(cycle->slots[0].heartbeat.wall_clock_ns, 0);
    EXPECT_EQ(cycle->slots[2].kill, kill);
    EXPECT_EQ(cycle->slots[3].kill, kill);
    EXPECT_EQ(cycle->slots[1].kill, KillBlock{});
    for (const SlotView& slot : cycle->slots) {
        EXPECT_EQ(slot.heartbeat_verdict, SectorVerdict::kValid);
        EXPECT_EQ(slot.ballot_verdict, SectorVerdict::kValid);
        EXPECT_EQ(slot.kill_verdict, SectorVerdict::kValid);
    }
    EXPECT_EQ(heartbeat_on_disk(NodeNumber{1}), cycle->slots[0].heartbeat);
}

/// More kill blocks than there are I/O slots: they go out as slots come free.
TEST_F(DiskThreadTest, WritesAnyNumberOfKillBlocks) {
    Ping ping{{.path = path_, .slots_max = kNodesMax}};
    ASSERT_TRUE(ping.wait_opened());
    std::vector<core::CycleOrder::Kill> kills;
    for (unsigned n = 1; n <= kNodesMax; ++n) {
        kills.push_back({NodeNumber{n},
                         KillBlock{.victim = Unique{1000 + n},
                                   .incarnation = Incarnation{3},
                                   .evictor = NodeNumber{1},
                                   .reason = KillReason::kLinkLost}});
    }
    const auto cycle = ping.cycle(1, std::nullopt, kills);
    ASSERT_TRUE(cycle);
    EXPECT_EQ(cycle->outcome, core::CycleOutcome::kDone);
    ASSERT_EQ(cycle->slots.size(), kNodesMax);
    for (unsigned n = 1; n <= kNodesMax; ++n) {
        EXPECT_EQ(cycle->slots[n - 1].kill.victim, Unique{1000 + n});
    }
}

TEST_F(DiskThreadTest, ReadOnlyCycleWritesNothing) {
    const std::uint64_t size = layout_.file_size();
    const std::vector<std::byte> before = read_file(path_, 0, size);
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    const auto cycle = ping.cycle(1, std::nullopt);
    ASSERT_TRUE(cycle);
    EXPECT_EQ(cycle->outcome, core::CycleOutcome::kDone);
    EXPECT_FALSE(cycle->own_as_written);
    EXPECT_EQ(cycle->slots.size(), 4U);
    EXPECT_EQ(read_file(path_, 0, size), before);
}

TEST_F(DiskThreadTest, TwoNodesOnOneFileSeeEachOther) {
    Ping one{{.path = path_, .node = 1}};
    Ping two{{.path = path_, .node = 2}};
    ASSERT_TRUE(one.wait_opened() && two.wait_opened());
    ASSERT_TRUE(one.own_slot() && two.own_slot());
    for (std::uint64_t i = 1; i <= 20; ++i) {
        ASSERT_TRUE(one.cycle(i, make_own(100 + i)));
        const auto seen = two.cycle(i, make_own(200 + i));
        ASSERT_TRUE(seen);
        EXPECT_EQ(seen->slots[0].heartbeat.sequence, Sequence{100 + i});
        EXPECT_EQ(seen->slots[1].heartbeat.sequence, Sequence{200 + i});
        EXPECT_TRUE(seen->own_as_written);
    }
}

TEST_F(DiskThreadTest, WritesOwnSlotOnlyWhileItIsOwned) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    const auto cycle = ping.cycle(1, make_own(1));
    ASSERT_TRUE(cycle);
    EXPECT_EQ(cycle->outcome, core::CycleOutcome::kWriteFailed);
    EXPECT_FALSE(heartbeat_on_disk(NodeNumber{1}).written());
}

TEST_F(DiskThreadTest, OneOwnerOfASlotAtATime) {
    auto first = std::make_unique<Ping>(Ping::Options{.path = path_});
    Ping second{{.path = path_}};
    ASSERT_TRUE(first->wait_opened() && second.wait_opened());
    ASSERT_TRUE(first->own_slot());
    second.thread().acquire_slot();
    ASSERT_TRUE(second.wait_slot(voting::SlotOwnership::kBusy));
    const auto refused = second.cycle(1, make_own(666));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->outcome, core::CycleOutcome::kWriteFailed);
    EXPECT_EQ(first->thread().stop(), DiskThread::StopOutcome::kEnded);
    ASSERT_TRUE(second.wait_slot(voting::SlotOwnership::kOwned));
    const auto cycle = second.cycle(2, make_own(2));
    ASSERT_TRUE(cycle);
    EXPECT_TRUE(cycle->own_as_written);
}

TEST_F(DiskThreadTest, RefusesAnotherCluster) {
    Ping ping{{.path = path_, .cluster_name = "other"}};
    ASSERT_TRUE(ping.wait_cannot_open());
    EXPECT_THAT(ping.cannot_open().front().message,
                HasSubstr("belongs to cluster ping-test, not to other"));
    EXPECT_TRUE(ping.opened().empty());
}

TEST_F(DiskThreadTest, RefusesAFileFormattedForFewerNodes) {
    format(make_header(1, 512, 3));
    Ping ping{{.path = path_, .node = 4}};
    ASSERT_TRUE(ping.wait_cannot_open());
    EXPECT_THAT(ping.cannot_open().front().message, HasSubstr("for nodes 1 to 3"));
}

TEST_F(DiskThreadTest, RefusesWhatIsNoVotingFile) {
    write_file(path_, 0, std::vector<std::byte>(4096, std::byte{0x5A}));
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_cannot_open());
    EXPECT_THAT(ping.cannot_open().front().message, HasSubstr("no valid header"));

    Ping folder{{.path = directory_.path()}};
    ASSERT_TRUE(folder.wait_cannot_open());
    EXPECT_THAT(folder.cannot_open().front().message, HasSubstr("cannot open voting file"));

    Ping device{{.path = "/dev/zero"}};
    ASSERT_TRUE(device.wait_cannot_open());
    EXPECT_THAT(device.cannot_open().front().message, HasSubstr("/dev/zero"));
}

TEST_F(DiskThreadTest, TellsEachReasonOnceAndOpensTheFileWhenItComes) {
    std::filesystem::remove(path_);
    Ping ping{{.path = path_, .retry_interval = std::chrono::milliseconds{2}}};
    ASSERT_TRUE(ping.wait_cannot_open(1));
    EXPECT_THAT(ping.cannot_open().front().message, HasSubstr("No such file"));
    write_file(path_, 0, std::vector<std::byte>(100));
    ASSERT_TRUE(ping.wait_cannot_open(2));
    EXPECT_THAT(ping.cannot_open().back().message, HasSubstr("has 100 bytes"));
    // Appears whole: written beside and renamed.
    const std::string beside = directory_.file("beside");
    write_file(beside, 0, voting::formatted_image(header_));
    std::filesystem::rename(beside, path_);
    ASSERT_TRUE(ping.wait_opened());
    EXPECT_EQ(ping.cannot_open().size(), 2U);
    EXPECT_TRUE(ping.closed().empty());
}

TEST_F(DiskThreadTest, TriesAgainAfterTheOwnerRefused) {
    std::atomic<int> asked = 0;
    Ping ping{{.path = path_,
               .retry_interval = std::chrono::milliseconds{2},
               .accept = [&](const Header&) -> Status {
                   if (++asked < 3) {
                       return Error{ErrorCode::kConflict, 0, "older generation"};
                   }
                   return Done{};
               }}};
    ASSERT_TRUE(ping.wait_opened());
    EXPECT_EQ(asked, 3);
    ASSERT_EQ(ping.cannot_open().size(), 1U);
    EXPECT_EQ(ping.cannot_open().front().message, "older generation");
}

/// Cut to nothing under the running daemon, then restored: closed with a reason, and used again.
TEST_F(DiskThreadTest, ReopensAfterErrorsThatRepeat) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    ASSERT_TRUE(ping.own_slot());
    std::filesystem::resize_file(path_, 0);
    std::uint64_t id = 0;
    while (ping.closed().empty() && id < 3) {
        const auto cycle = ping.cycle(++id, std::nullopt);
        ASSERT_TRUE(cycle);
        EXPECT_EQ(cycle->outcome, core::CycleOutcome::kReadFailed);
        EXPECT_TRUE(cycle->slots.empty());
    }
    ASSERT_TRUE(ping.wait_closed());
    EXPECT_THAT(ping.closed().front().message, HasSubstr("reading the slots"));
    EXPECT_EQ(ping.failures().size(), 1U);
    ASSERT_TRUE(ping.wait_cannot_open());
    format(header_);
    ASSERT_TRUE(ping.wait_opened(2));
    // The slot is asked for again without being told to.
    while (true) {
        ++id;
        const auto cycle = ping.cycle(id, make_own(id));
        ASSERT_TRUE(cycle);
        if (cycle->outcome == core::CycleOutcome::kDone) {
            EXPECT_TRUE(cycle->own_as_written);
            break;
        }
        ASSERT_LT(id, 10'000U);
    }
}

TEST_F(DiskThreadTest, AFileFormattedAnewIsClosedAndComesBackAsAnother) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    ASSERT_TRUE(ping.cycle(1, std::nullopt));
    format(make_header(2));
    std::uint64_t id = 1;
    std::optional<Cycle> cycle;
    do {
        cycle = ping.cycle(++id, std::nullopt);
        ASSERT_TRUE(cycle);
        // Meanwhile its sectors do not count: they belong to another file.
        if (cycle->outcome == core::CycleOutcome::kDone) {
            EXPECT_EQ(cycle->slots[0].heartbeat_verdict, SectorVerdict::kWrongFile);
        }
    } while (cycle->outcome == core::CycleOutcome::kDone && id < 20);
    EXPECT_EQ(cycle->outcome, core::CycleOutcome::kReadFailed);
    ASSERT_TRUE(ping.wait_closed());
    EXPECT_THAT(ping.closed().front().message, HasSubstr("formatted anew"));
    ASSERT_TRUE(ping.wait_opened(2));
    EXPECT_EQ(ping.opened().back(), header_);
}

TEST_F(DiskThreadTest, ReopensWhenAsked) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    ASSERT_TRUE(ping.own_slot());
    ping.thread().reopen(Error{ErrorCode::kConflict, 0, "belongs to another generation"});
    ASSERT_TRUE(ping.wait_closed());
    EXPECT_EQ(ping.closed().front().message, "belongs to another generation");
    ASSERT_TRUE(ping.wait_opened(2));
}

/// Every order has exactly one answer, also one that crosses with the closing of the file.
TEST_F(DiskThreadTest, AnOrderThatCrossesWithClosingIsAnswered) {
    Ping ping{{.path = path_, .retry_interval = std::chrono::milliseconds{1}}};
    ASSERT_TRUE(ping.wait_opened());
    std::size_t done = 0;
    for (std::uint64_t id = 1; id <= 200; ++id) {
        if (id % 2 == 0) {
            ping.thread().reopen(Error{ErrorCode::kConflict, 0, "again"});
        }
        const auto cycle = ping.cycle(id, std::nullopt);
        ASSERT_TRUE(cycle);
        done += cycle->outcome == core::CycleOutcome::kDone ? 1U : 0U;
    }
    EXPECT_GT(done, 0U);
    EXPECT_EQ(ping.cycles(), 200U);
}

TEST_F(DiskThreadTest, AnOrderThatMeetsAClosedFileIsAnswered) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    std::filesystem::remove(path_);
    ping.thread().reopen(Error{ErrorCode::kConflict, 0, "again"});
    ASSERT_TRUE(ping.wait_closed());
    const auto read = ping.cycle(1, std::nullopt);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->outcome, core::CycleOutcome::kReadFailed);
    ASSERT_TRUE(ping.wait_cannot_open());
    const auto write = ping.cycle(2, make_own(1));
    ASSERT_TRUE(write);
    EXPECT_EQ(write->outcome, core::CycleOutcome::kWriteFailed);
}

TEST_F(DiskThreadTest, NoCallbackAfterStopAndOrdersAreDropped) {
    Ping ping{{.path = path_}};
    ASSERT_TRUE(ping.wait_opened());
    EXPECT_EQ(ping.thread().stop(), DiskThread::StopOutcome::kEnded);
    EXPECT_EQ(ping.thread().stop(), DiskThread::StopOutcome::kEnded);
    ping.order(1, std::nullopt);
    EXPECT_EQ(ping.cycles(), 0U);
    EXPECT_EQ(task_named("diskping 1"), std::nullopt);
}

TEST_F(DiskThreadTest, AnIdleThreadSleeps) {
    Ping ping{{.path = path_, .retry_interval = std::chrono::milliseconds{1}}};
    ASSERT_TRUE(ping.wait_opened());
    ASSERT_TRUE(ping.own_slot());
    ASSERT_TRUE(ping.cycle(1, make_own(1)));
    const auto task = task_named("diskping 1");
    ASSERT_TRUE(task);
    // Until it has gone to sleep after its last answer.
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    const auto sleeping = [&] {
        std::ifstream stat{*task / "stat"};
        std::stringstream text;
        text << stat.rdbuf();
        return text.str().find(") S ") != std::string::npos;
    };
    while (!sleeping()) {
        ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    }
    const long before = switches(*task);
    // What is looked for is that nothing happens in this time: a hundred retry intervals.
    ::usleep(100'000);
    EXPECT_EQ(switches(*task), before);
    EXPECT_TRUE(ping.late().empty());
}

}  // namespace
}  // namespace css::test
