#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/voting_io/disks.h"
#include "tests/voting_io/ping_fixture.h"
#include "voting/format/codec.h"
#include "voting/format/format.h"

/// The disk ping on loop devices, some of which hang. Needs root.
namespace css::test {
namespace {

using ::testing::HasSubstr;
using voting::DiskThread;
using voting::Header;
using voting::Layout;
using voting::SlotOwnership;

#define SKIP_WITHOUT(result)                                                   \
    if (!(result)) {                                                           \
        GTEST_SKIP() << "NOT TESTED, needs root, loop devices and mkfs.ext4: " \
                     << (result).error().message;                              \
    }

voting::Heartbeat heartbeat_on(const std::string& path, const Header& header, NodeNumber node) {
    const Layout layout{header.sector_size};
    const std::vector<std::byte> bytes =
        read_file(path, layout.slot(node).offset, layout.sector_size());
    voting::Heartbeat heartbeat;
    EXPECT_EQ(voting::decode_heartbeat(header.identity(), node, bytes, heartbeat),
              SectorVerdict::kValid);
    return heartbeat;
}

// ---------------------------------------------------------------------------------- loop devices

class SectorSizeTest : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Sizes, SectorSizeTest, ::testing::Values(512U, 4096U));

TEST_P(SectorSizeTest, RoundTripOnALoopDevice) {
    const TemporaryDirectory directory;
    const Header header = make_header(1, GetParam());
    write_file(directory.file("lun"), 0, voting::formatted_image(header));
    const auto device = LoopDevice::attach(directory.file("lun"), GetParam());
    SKIP_WITHOUT(device);

    Ping one{{.path = device->path(), .node = 1}};
    Ping two{{.path = device->path(), .node = 2}};
    ASSERT_TRUE(one.wait_opened() && two.wait_opened());
    ASSERT_TRUE(one.own_slot() && two.own_slot());
    for (std::uint64_t i = 1; i <= 25; ++i) {
        const auto first = one.cycle(i, make_own(i));
        ASSERT_TRUE(first);
        EXPECT_TRUE(first->own_as_written);
        const auto second = two.cycle(i, make_own(1000 + i));
        ASSERT_TRUE(second);
        EXPECT_TRUE(second->own_as_written);
        EXPECT_EQ(second->slots[0].heartbeat.sequence, Sequence{i});
    }
    EXPECT_EQ(heartbeat_on(device->path(), header, NodeNumber{2}).sequence, Sequence{1025});
}

TEST(LoopDeviceTest, RefusesSmallSectorsOnADeviceWithLargeOnes) {
    const TemporaryDirectory directory;
    write_file(directory.file("lun"), 0, voting::formatted_image(make_header(1, 512)));
    const auto device = LoopDevice::attach(directory.file("lun"), 4096);
    SKIP_WITHOUT(device);
    Ping ping{{.path = device->path()}};
    ASSERT_TRUE(ping.wait_cannot_open());
    EXPECT_THAT(ping.cannot_open().front().message,
                HasSubstr("formatted for sectors of 512 bytes, but is on a device with 4096"));
}

/// A figure for people; the bound only catches a busy loop.
TEST(LoopDeviceTest, ACycleCostsItsThreadLittle) {
    const TemporaryDirectory directory;
    write_file(directory.file("lun"), 0, voting::formatted_image(make_header()));
    const auto device = LoopDevice::attach(directory.file("lun"), 512);
    SKIP_WITHOUT(device);
    Ping ping{{.path = device->path()}};
    ASSERT_TRUE(ping.wait_opened());
    ASSERT_TRUE(ping.own_slot());
    const auto task = task_named("diskping 1");
    ASSERT_TRUE(task);
    const auto cpu_ns = [&] {
        std::ifstream schedstat{*task / "schedstat"};
        std::uint64_t ns = 0;
        schedstat >> ns;
        return ns;
    };
    constexpr std::uint64_t kCycles = 300;
    const std::uint64_t before = cpu_ns();
    for (std::uint64_t i = 1; i <= kCycles; ++i) {
        ASSERT_TRUE(ping.cycle(i, make_own(i)));
    }
    const std::uint64_t ns = (cpu_ns() - before) / kCycles;
    std::printf("CPU time of one cycle in its thread: %.1f us\n", static_cast<double>(ns) / 1e3);
    EXPECT_LT(ns, 20'000'000U);
}

// ------------------------------------------------------------------------------------ hung disks

class HungDiskTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto made = FreezableDisk::make(directory_, voting::formatted_image(hung_header_));
        SKIP_WITHOUT(made);
        disk_.emplace(std::move(made).value());
        write_file(healthy_path_, 0, voting::formatted_image(make_header(2)));
    }

    TemporaryDirectory directory_;
    const Header hung_header_ = make_header(1);
    const std::string healthy_path_ = directory_.file("healthy");
    std::optional<FreezableDisk> disk_;
};

TEST_F(HungDiskTest, DelaysNoOtherFileAndFinishesLate) {
    Ping hung{{.path = disk_->path(), .late_after = std::chrono::milliseconds{50}}};
    Ping healthy{{.path = healthy_path_, .late_after = kPatience}};
    ASSERT_TRUE(hung.wait_opened() && healthy.wait_opened());
    ASSERT_TRUE(hung.own_slot() && healthy.own_slot());
    ASSERT_TRUE(hung.cycle(1, make_own(1)));

    disk_->freeze();
    hung.order(2, make_own(2));
    ASSERT_TRUE(hung.wait_late());
    EXPECT_EQ(hung.late().front().operation, voting::DiskOperation::kWriteOwn);
    for (std::uint64_t i = 1; i <= 50; ++i) {
        const auto cycle = healthy.cycle(i, make_own(i));
        ASSERT_TRUE(cycle);
        EXPECT_TRUE(cycle->own_as_written);
    }
    EXPECT_EQ(hung.cycles(), 1U);  // Only the one before.
    EXPECT_TRUE(hung.late_ended().empty());
    EXPECT_TRUE(hung.closed().empty());
    EXPECT_TRUE(healthy.late().empty());

    disk_->thaw();
    const auto late = hung.wait_cycle(2);
    ASSERT_TRUE(late);
    EXPECT_EQ(late->outcome, core::CycleOutcome::kDone);
    EXPECT_TRUE(late->own_as_written);
    EXPECT_EQ(late->slots[0].heartbeat.sequence, Sequence{2});
    EXPECT_GE(hung.late().size(), 1U);
    ASSERT_EQ(hung.late_ended().size(), hung.late().size());
    EXPECT_EQ(hung.late_ended().front().begun, hung.late().front().begun);

    const auto next = hung.cycle(3, make_own(3));
    ASSERT_TRUE(next);
    EXPECT_TRUE(next->own_as_written);
}

/// The daemon gives a hung file up; what it had submitted, and nothing else, reaches the disk.
TEST_F(HungDiskTest, AbandonsInBoundedTimeAndLeavesTheBufferToTheKernel) {
    Ping hung{{.path = disk_->path(), .late_after = std::chrono::milliseconds{20}}};
    ASSERT_TRUE(hung.wait_opened());
    ASSERT_TRUE(hung.own_slot());
    disk_->freeze();
    hung.order(1, make_own(4711));
    ASSERT_TRUE(hung.wait_late());

    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(hung.thread().stop(std::chrono::milliseconds{100}),
              DiskThread::StopOutcome::kAbandoned);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{10});

    disk_->thaw();
    // The lock of the slot goes with the last request: then the sector is there.
    Ping next{{.path = disk_->path(), .retry_interval = std::chrono::milliseconds{5}}};
    ASSERT_TRUE(next.wait_opened());
    ASSERT_TRUE(next.own_slot());
    EXPECT_EQ(heartbeat_on(disk_->path(), hung_header_, NodeNumber{1}).sequence, Sequence{4711});
}

// -------------------------------------------------------------------------------------- slot lock

/// A daemon in a process of its own that writes to the hung disk and tells when it hangs.
pid_t start_victim(const std::string& path, int ready) {
    const pid_t child = ::fork();
    CSS_CHECK(child >= 0);
    if (child != 0) {
        return child;
    }
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Ping ping{{.path = path, .late_after = std::chrono::milliseconds{20}}};
    CSS_CHECK(ping.wait_opened());
    CSS_CHECK(ping.own_slot());
    char byte = 0;
    CSS_CHECK(::write(ready, &byte, 1) == 1);  // Owned; the test freezes the disk now.
    CSS_CHECK(::read(ready, &byte, 1) == 1);
    ping.order(1, make_own(4712));
    CSS_CHECK(ping.wait_late());
    CSS_CHECK(::write(ready, &byte, 1) == 1);  // In flight.
    for (;;) {
        (void)::pause();
    }
}

/// PROTOCOL 8: 'its I/O there has ended', also when the process itself is long gone.
TEST_F(HungDiskTest, SlotLockOutlivesAKilledOwnerUntilItsWriteHasEnded) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const voting::Fd ours{ends[0]};
    const pid_t victim = start_victim(disk_->path(), ends[1]);
    (void)::close(ends[1]);
    char byte = 0;
    ASSERT_EQ(::read(ours.get(), &byte, 1), 1);
    // Opened before the disk hangs: reading the header would hang as well.
    Ping heir{{.path = disk_->path(), .retry_interval = std::chrono::milliseconds{5}}};
    Ping neighbour{{.path = disk_->path(), .node = 2}};
    ASSERT_TRUE(heir.wait_opened() && neighbour.wait_opened());
    disk_->freeze();
    ASSERT_EQ(::write(ours.get(), &byte, 1), 1);
    ASSERT_EQ(::read(ours.get(), &byte, 1), 1);
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(victim, &status, 0), victim);
    ASSERT_TRUE(WIFSIGNALED(status));

    // The owner is gone, its write is not: the slot stays taken, over many tries.
    heir.thread().acquire_slot();
    ASSERT_TRUE(heir.wait_slot(SlotOwnership::kBusy));
    ASSERT_TRUE(neighbour.own_slot());  // Another slot of the file is free.
    ::usleep(200'000);
    const auto refused = heir.cycle(1, make_own(1));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->outcome, core::CycleOutcome::kWriteFailed);
    EXPECT_FALSE(refused->own_as_written);

    disk_->thaw();
    ASSERT_TRUE(heir.wait_slot(SlotOwnership::kOwned));
    // Owned means that the late write is on the disk by now, and not above ours afterwards.
    EXPECT_EQ(heartbeat_on(disk_->path(), hung_header_, NodeNumber{1}).sequence, Sequence{4712});
    const auto cycle = heir.cycle(2, make_own(2));
    ASSERT_TRUE(cycle);
    EXPECT_TRUE(cycle->own_as_written);
}

}  // namespace
}  // namespace css::test
