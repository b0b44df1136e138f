#include <algorithm>
#include <array>
#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"
#include "tests/e2e/cluster_test.h"
#include "voting/format/header.h"

namespace css::e2e {
namespace {

/// The set of voting files changes while the cluster runs (PROTOCOL 7). On every node a client acts
/// all the time; the fixture judges at the end that nobody acted who was not to.
class VotingFiles : public ClusterTest {
protected:
    const std::string& disk(unsigned file) { return lab_->disks().paths(1).at(file - 1); }

    /// All are formatted before the set changes.
    static std::string added(const std::vector<std::string>& paths) {
        std::string text;
        for (const std::string& path : paths) {
            text += "Now formatting voting disk: " + path + ".\n";
        }
        for (const std::string& path : paths) {
            text += "CRS-4603: Successful addition of voting disk " + path + ".\n";
        }
        return text;
    }
    static std::string deleted(const std::string& path) {
        return "CRS-4611: Successful deletion of voting disk " + path + ".\n";
    }

    void expect_done(unsigned node, const Words& words, const std::string& out) {
        const Finished done = lab_->crsctl(node, words);
        EXPECT_EQ(done.out, out);
        EXPECT_EQ(done.status, 0) << done.err;
    }
    void expect_refused(unsigned node, const Words& words, const std::string& reason) {
        const Finished done = lab_->crsctl(node, words);
        EXPECT_NE(done.out.find(reason), std::string::npos) << done.out;
        EXPECT_EQ(done.status, 1);
    }

    /// Sooner or later the node shows so many files, these among them, all online.
    void expect_table(unsigned node, unsigned count, const std::vector<std::string>& paths) {
        const Nanos deadline = boottime_now() + nanos(kPatience);
        std::string table;
        bool same = false;
        while (!same && boottime_now() < deadline) {
            table = lab_->crsctl(node, {"query", "css", "votedisk"}).out;
            same = table.find("Located " + std::to_string(count) + " voting disk(s).") !=
                   std::string::npos;
            same = same && table.find("OFFLINE") == std::string::npos &&
                   table.find("PENDING") == std::string::npos;
            for (const std::string& path : paths) {
                const auto at = table.find("(" + path + ")");
                same = same && at != std::string::npos;
            }
            lab_->watch_for(milliseconds{50});
        }
        EXPECT_TRUE(same) << "node " << node << " shows\n" << table;
    }
    /// As the node shows it.
    std::string fuid(unsigned node, const std::string& path) {
        const std::string table = lab_->crsctl(node, {"query", "css", "votedisk"}).out;
        constexpr std::size_t kFuidSize = 32;
        const auto at = table.find(" (" + path + ")");
        return at == std::string::npos ? "none" : table.substr(at - kFuidSize, kFuidSize);
    }
    void expect_all_act(Nanos since) {
        for (const unsigned node : lab_->everybody()) {
            expect_acts(node, since);
        }
        expect_nobody_evicted(since);
    }
};

TEST_F(VotingFiles, ALostOneIsReplaced) {
    Lab& lab = form({.spare_files = 1, .disks = DiskKind::kFreezable});
    const Nanos begin = boottime_now();
    lab.disks().freeze(2);
    for (const unsigned node : lab.everybody()) {
        ASSERT_TRUE(lab.wait_told(node, told("votedisk_offline"), begin)) << "node " << node;
    }
    expect_done(2,
                {"replace", "css", "votedisk", disk(1), disk(3), disk(4)},
                added({disk(4)}) + deleted(disk(2)));
    for (const unsigned node : lab.everybody()) {
        expect_table(node, 3, {disk(1), disk(3), disk(4)});
    }
    // Another one may be lost now; the new one takes part in deciding.
    const Nanos again = boottime_now();
    lab.disks().freeze(1);
    for (const unsigned node : lab.everybody()) {
        ASSERT_TRUE(lab.wait_told(node, told("votedisk_offline"), again)) << "node " << node;
    }
    EXPECT_TRUE(lab.crsctl(3, {"set", "css", "disktimeout", "7"}).ok());
    lab.disks().thaw(1);
    lab.disks().thaw(2);
    expect_all_act(begin);
}

TEST_F(VotingFiles, TwoAreAddedAndTwoDeleted) {
    form({.spare_files = 2});
    const Nanos begin = boottime_now();
    expect_refused(1,
                   {"add", "css", "votedisk", disk(4)},
                   "This would leave 4 voting files: their count must be odd");
    expect_refused(1,
                   {"delete", "css", "votedisk", disk(1)},
                   "This would leave 2 voting files: their count must be odd");
    expect_refused(1, {"add", "css", "votedisk", disk(2), disk(4)}, "is a voting file");
    expect_refused(1, {"delete", "css", "votedisk", "/dev/null"}, "/dev/null is no voting file");
    expect_done(3, {"add", "css", "votedisk", disk(4), disk(5)}, added({disk(4), disk(5)}));
    for (const unsigned node : lab_->everybody()) {
        expect_table(node, 5, {disk(4), disk(5)});
    }
    expect_done(1,
                {"delete", "css", "votedisk", fuid(1, disk(4)), disk(1)},
                deleted(disk(1)) + deleted(disk(4)));
    for (const unsigned node : lab_->everybody()) {
        expect_table(node, 3, {disk(5)});
    }
    expect_all_act(begin);
}

TEST_F(VotingFiles, AWipedOneIsReplacedAndComesBackByAnotherPath) {
    Lab& lab = form({.spare_files = 1, .disks = DiskKind::kFaulty});
    const Nanos begin = boottime_now();
    const auto lose = [&lab](unsigned file) {
        const Nanos wiped = boottime_now();
        lab.disks().wipe(file);
        for (const unsigned node : lab.everybody()) {
            ASSERT_TRUE(lab.wait_told(node, told("votedisk_offline"), wiped)) << "node " << node;
        }
    };
    lose(2);
    expect_done(1,
                {"replace", "css", "votedisk", disk(1), disk(3), disk(4)},
                added({disk(4)}) + deleted(disk(2)));
    lab.disks().wipe(2);
    lose(4);
    const std::string path = lab.disks().sound_path(2);
    expect_done(1,
                {"replace", "css", "votedisk", disk(1), disk(3), path},
                added({path}) + deleted(disk(4)));
    // The way that it had is looked at again meanwhile; no file is shown twice.
    lab.watch_for(2 * lab.options().misscount);
    for (const unsigned node : lab.everybody()) {
        expect_table(node, 3, {});
    }
    expect_all_act(begin);
}

TEST_F(VotingFiles, DaemonsThatAreStartedWithTheOldPathsFindTheNewFiles) {
    Lab& lab = form({.spare_files = 3, .disks = DiskKind::kPlain});
    const Nanos begin = boottime_now();
    expect_done(1,
                {"replace", "css", "votedisk", disk(4), disk(5), disk(6)},
                added({disk(4), disk(5), disk(6)}) + deleted(disk(1)) + deleted(disk(2)) +
                    deleted(disk(3)));
    expect_all_act(begin);
    EXPECT_TRUE(lab.crsctl(1, {"stop", "cluster", "-all"}).ok());
    for (const unsigned node : lab.everybody()) {
        ASSERT_TRUE(lab.wait_ended(node)) << "node " << node;
    }
    ASSERT_TRUE(lab.form());
    for (const unsigned node : lab.everybody()) {
        expect_table(node, 3, {disk(4), disk(5), disk(6)});
        EXPECT_NE(lab.alert_log(node).find("add `voting_file = " + disk(4) + "`"),
                  std::string::npos);
    }
}

/// What stands before the slots, with what it says of the other files' paths.
voting::HeaderRegion region_of(const std::string& path, std::span<std::byte> bytes) {
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    voting::HeaderRegion region;
    EXPECT_EQ(::pread(file.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(voting::decode_region(bytes.first<voting::kHeaderSize>(), region),
              SectorVerdict::kValid);
    return region;
}

void lose_hints(const std::string& path) {
    std::array<std::byte, voting::kHeaderSize> bytes{};
    voting::HeaderRegion region = region_of(path, bytes);
    region.hints = {};
    voting::encode_region(region, bytes);
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_DSYNC | O_CLOEXEC)};
    ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
}

bool has_hints_for(const std::string& path, const std::vector<std::string>& others) {
    std::array<std::byte, voting::kHeaderSize> bytes{};
    const voting::HeaderRegion region = region_of(path, bytes);
    return std::ranges::all_of(others, [&](const std::string& other) {
        return std::ranges::any_of(
            region.hints, [&](const voting::PathHint& hint) { return hint.path == other; });
    });
}

/// Two nodes that read, change and write them at once may undo each other's.
TEST_F(VotingFiles, HintsThatGetLostComeBack) {
    Lab& lab = form({.spare_files = 3, .disks = DiskKind::kPlain});
    const Nanos begin = boottime_now();
    const std::vector<std::string> now{disk(4), disk(5), disk(6)};
    expect_done(1,
                {"replace", "css", "votedisk", now[0], now[1], now[2]},
                added(now) + deleted(disk(1)) + deleted(disk(2)) + deleted(disk(3)));
    for (const unsigned node : lab.everybody()) {
        expect_table(node, 3, now);
    }
    for (const std::string& path : now) {
        lose_hints(path);
    }
    for (const std::string& path : now) {
        EXPECT_TRUE(lab.wait_until([&] { return has_hints_for(path, now); })) << path;
    }
    expect_all_act(begin);
}

}  // namespace
}  // namespace css::e2e
