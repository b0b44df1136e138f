#include "voting/io/ring.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "voting/format/header.h"
#include "voting/io/disk_thread.h"

namespace css::test {
namespace {

using voting::Ring;

/// Makes io_uring_setup fail with `number` in this process, as a container's profile does.
void refuse_io_uring(unsigned number) {
    std::array<sock_filter, 4> program = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    CSS_CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CSS_CHECK(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

[[noreturn]] void start_refused(unsigned number) {
    refuse_io_uring(number);
    voting::DiskThreadOptions options;
    options.path = "/nowhere";
    options.thread_name = "diskping 1";
    options.self = NodeNumber{1};
    options.callbacks.on_opened = [](const voting::HeaderRegion&, const std::string&) {
        return Result<FileIndex>{FileIndex{}};
    };
    options.callbacks.on_cycle = [](const core::CycleFinished&) {};
    const auto started = voting::DiskThread::start(std::move(options));
    if (!started) {
        (void)std::fprintf(stderr, "%s\n", started.error().message.c_str());
    }
    ::_exit(started ? 1 : 0);
}

TEST(RingTest, UsesTheBestFlagsOfThisKernel) {
    const Result<Ring> ring = Ring::create(8);
    ASSERT_TRUE(ring) << ring.error().message;
    std::printf("set-up flags: 0x%x\n", ring->setup_flags());
    // Below the best only where the kernel refuses the best.
    io_uring plain{};
    const int best =
        io_uring_queue_init(8, &plain, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (best == 0) {
        io_uring_queue_exit(&plain);
    }
    EXPECT_EQ((ring->setup_flags() & IORING_SETUP_DEFER_TASKRUN) != 0, best == 0);
    EXPECT_EQ(ring->setup_flags() & (IORING_SETUP_SQPOLL | IORING_SETUP_IOPOLL), 0U);
}

TEST(RingTest, WaitingEndsWithTheTime) {
    Result<Ring> ring = Ring::create(8);
    ASSERT_TRUE(ring);
    std::array<voting::Completion, 4> completions{};
    EXPECT_EQ(ring->submit_and_reap(std::chrono::milliseconds{1}, completions), 0U);
    EXPECT_EQ(ring->submit_and_reap(Duration{-5}, completions), 0U);
}

TEST(RingDeathTest, SaysWhereToLookWhenSeccompRefusesWithEperm) {
    EXPECT_EXIT(start_refused(EPERM),
                ::testing::ExitedWithCode(0),
                "io_uring is refused.*Operation not permitted.*kernel.io_uring_disabled.*seccomp");
}

TEST(RingDeathTest, SaysWhereToLookWhenSeccompRefusesWithEnosys) {
    EXPECT_EXIT(start_refused(ENOSYS),
                ::testing::ExitedWithCode(0),
                "io_uring is refused.*not implemented.*kernel.io_uring_disabled.*seccomp");
}

}  // namespace
}  // namespace css::test
