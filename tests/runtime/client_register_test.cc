#include "cssd/runtime/client_register.h"

#include <csignal>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kill_block/guardian/process.h"
#include "tests/control/temporary_directory.h"
#include "tests/e2e/harness/process.h"

namespace css::runtime {
namespace {

using guardian::ClientForm;

constexpr BootId kBoot{7};

class ClientRegisterTest : public ::testing::Test {
protected:
    std::unique_ptr<ClientRegister> open(BootId boot = kBoot) {
        auto opened = ClientRegister::open(directory_.path(), boot);
        EXPECT_TRUE(opened.has_value());
        return std::move(*opened);
    }
    static void add(ClientRegister& list, std::uint64_t client, pid_t pid) {
        const UniqueFd pidfd{guardian::open_pidfd(pid)};
        EXPECT_TRUE(list.add(client, pidfd.get(), ClientForm::kProcess).has_value());
    }
    std::string file() const {
        std::ifstream in{directory_.path() + "/clients"};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    TemporaryDirectory directory_;
    e2e::Child sleeper_{{"sleep", "1000"}, {}};
};

TEST_F(ClientRegisterTest, S8_AClientIsFoundByTheNextDaemonOfTheSameBoot) {
    add(*open(), 5, sleeper_.pid());
    const auto formers = open()->take_formers();
    ASSERT_EQ(formers.size(), 1U);
    EXPECT_EQ(guardian::pid_of(formers[0].descriptor.get()), sleeper_.pid());
    // And by the one after it, should that one die before it was done with them.
    EXPECT_EQ(open()->take_formers().size(), 1U);
    EXPECT_TRUE(open(BootId{8})->take_formers().empty());
}

TEST_F(ClientRegisterTest, S8_NotWhatWasTakenOffOrHasEndedOrIsAnother) {
    const e2e::Child other{{"sleep", "1000"}, {}};
    e2e::Child ended{{"sleep", "1000"}, {}};
    const auto list = open();
    add(*list, 1, sleeper_.pid());
    add(*list, 2, ended.pid());
    list->remove(1);
    ended.kill();
    EXPECT_TRUE(open()->take_formers().empty());

    // The number of a process that has ended, given to another since.
    std::string text = file();
    {
        std::ofstream{directory_.path() + "/clients", std::ios::app} << "+ 9 process 1 "
                                                                     << other.pid() << '\n';
    }
    EXPECT_TRUE(open()->take_formers().empty());
}

TEST_F(ClientRegisterTest, ForgottenOnceTheyAreGone) {
    add(*open(), 1, sleeper_.pid());
    const auto next = open();
    EXPECT_EQ(next->take_formers().size(), 1U);
    const e2e::Child own{{"sleep", "1000"}, {}};
    add(*next, 1, own.pid());  // Its own client 1, beside the former one.
    next->forget_formers();
    const auto formers = open()->take_formers();
    ASSERT_EQ(formers.size(), 1U);
    EXPECT_EQ(guardian::pid_of(formers[0].descriptor.get()), own.pid());
}

TEST_F(ClientRegisterTest, ACgroupIsItsDirectoryAndNoOtherOfTheSameName) {
    const std::string path = directory_.path() + "/group with a blank";
    ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
    const auto list = open();
    {
        const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        ASSERT_TRUE(list->add(1, fd.get(), ClientForm::kFreezer).has_value());
    }
    {
        const auto formers = open()->take_formers();
        ASSERT_EQ(formers.size(), 1U);
        EXPECT_EQ(formers[0].form, ClientForm::kFreezer);
    }
    // Another of that name; a second directory keeps the inode from being used again.
    ASSERT_EQ(::rename(path.c_str(), (path + " moved").c_str()), 0);
    ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
    EXPECT_TRUE(open()->take_formers().empty());
}

TEST_F(ClientRegisterTest, ThoseThatEndedByThemselvesDoNotPileUp) {
    const auto list = open();
    e2e::Child ended{{"sleep", "1000"}, {}};
    for (std::uint64_t client = 1; client < 1200; ++client) {
        if (client == 900) {
            ended.kill();
        }
        add(*list, client, client < 900 ? ended.pid() : sleeper_.pid());
    }
    const std::string text = file();
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 400);
}

TEST_F(ClientRegisterTest, WhatCannotBeListedIsNotTaken) {
    const auto list = open();
    ASSERT_EQ(::unlink((directory_.path() + "/clients").c_str()), 0);
    const UniqueFd pidfd{guardian::open_pidfd(sleeper_.pid())};
    EXPECT_FALSE(list->add(1, pidfd.get(), ClientForm::kProcess).has_value());
}

}  // namespace
}  // namespace css::runtime
