#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/voting_format/samples.h"
#include "voting/format/codec.h"
#include "voting/format/format.h"

/// The votefile program itself, on plain files in a directory of its own and, as root, on loop
/// devices.
namespace css::voting {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using Bytes = std::vector<std::byte>;
using Words = std::vector<std::string>;

struct Ended {
    int exit_code = -1;
    std::string out;
    std::string err;
};

std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

Bytes bytes_of(const fs::path& path) {
    const std::string text = text_of(path);
    const auto bytes = std::as_bytes(std::span{text});
    return {bytes.begin(), bytes.end()};
}

class VotefileTest : public testing::Test {
protected:
    VotefileTest() {
        std::string name = fs::temp_directory_path() / "votefile_test.XXXXXX";
        CSS_CHECK(::mkdtemp(name.data()) != nullptr);
        directory_ = name;
    }
    ~VotefileTest() override { fs::remove_all(directory_); }

    std::string path(const std::string& name) const { return directory_ / name; }

    Ended run(const Words& words, const std::string& program = CSS_VOTEFILE) const {
        const std::string out = path(".out");
        const std::string err = path(".err");
        const pid_t child = ::fork();
        if (child == 0) {
            exec(program, words, out, err);
        }
        int status = 0;
        CSS_CHECK(::waitpid(child, &status, 0) == child);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
    }

    /// create --cluster-name atlas OPTION... for a, b, c.
    Ended create(Words options = {}, const Words& names = {"a", "b", "c"}) const {
        Words words{"create", "--cluster-name", "atlas"};
        words.insert(words.end(), options.begin(), options.end());
        for (const std::string& name : names) {
            words.push_back(path(name));
        }
        return run(words);
    }
    Ended check(const Words& names = {"a", "b", "c"}) const {
        Words words{"check"};
        for (const std::string& name : names) {
            words.push_back(path(name));
        }
        return run(words);
    }

    Header header_of(const std::string& name) const {
        const Bytes bytes = bytes_of(path(name));
        Header header;
        CSS_CHECK(bytes.size() >= kHeaderSize);
        CSS_CHECK(decode_header(std::span{bytes}.first<kHeaderSize>(), header) ==
                  SectorVerdict::kValid);
        return header;
    }
    /// A file as create leaves it, together with the others.
    Bytes image(const Header& header, const Words& names) const {
        HeaderRegion region{header, {}};
        for (std::size_t i = 0; i < names.size(); ++i) {
            region.hints[i] = {header.table[i].uid, path(names[i])};
        }
        Bytes bytes = formatted_image(header);
        encode_region(region, std::span{bytes}.first<kHeaderSize>());
        return bytes;
    }
    void write(const std::string& name,
               std::uint64_t offset,
               std::span<const std::byte> bytes) const {
        const int fd = ::open(path(name).c_str(), O_WRONLY | O_CLOEXEC);
        CSS_CHECK(fd >= 0);
        CSS_CHECK(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                  static_cast<ssize_t>(bytes.size()));
        ::close(fd);
    }
    void write_heartbeat(const std::string& name, NodeNumber n, const Heartbeat& value) const {
        const Header header = header_of(name);
        Bytes sector(header.sector_size);
        encode_heartbeat(header.identity(), n, value, sector);
        write(name, Layout{header.sector_size}.slot(n).offset, sector);
    }
    bool exists(const std::string& name) const { return fs::exists(path(name)); }

private:
    [[noreturn]] static void exec(const std::string& program,
                                  const Words& words,
                                  const std::string& out,
                                  const std::string& err) {
        const auto redirect = [](const std::string& to, int fd) {
            ::dup2(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), fd);
        };
        redirect(out, 1);
        redirect(err, 2);
        std::vector<std::string> copy{program};
        copy.insert(copy.end(), words.begin(), words.end());
        std::vector<char*> arguments;
        for (std::string& word : copy) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        ::execvp(program.c_str(), arguments.data());
        ::_exit(127);
    }

    fs::path directory_;
};

void expect_refused(const Ended& ended, const std::string& reason) {
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr(reason));
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
}

TEST_F(VotefileTest, CreatesAWholeSetAndChecksIt) {
    const Ended created = create({"--misscount",
                                  "800ms",
                                  "--disktimeout",
                                  "5",
                                  "--reboottime",
                                  "0.2s",
                                  "--max-nodes",
                                  "16"});
    ASSERT_EQ(created.exit_code, 0) << created.err;
    const Header a = header_of("a");
    EXPECT_EQ(a.cluster_name, "atlas");
    EXPECT_EQ(a.slots_max, 16U);
    EXPECT_EQ(a.generation, 1U);
    EXPECT_EQ(a.files, FileSet{0b111});
    EXPECT_EQ(a.parameters,
              (Parameters{std::chrono::milliseconds{800},
                          std::chrono::seconds{5},
                          std::chrono::milliseconds{200}}));
    for (const std::string name : {"a", "b", "c"}) {
        const Header header = header_of(name);
        EXPECT_EQ(header.cluster, a.cluster);
        EXPECT_EQ(header.table, a.table);
        EXPECT_TRUE(bytes_of(path(name)) == image(header, {"a", "b", "c"})) << name;
        EXPECT_THAT(created.out, HasSubstr(to_hex(header.file.bytes)));
    }
    EXPECT_EQ(index_of(header_of("c"), header_of("c").file), FileIndex::from_index(2));
    const Ended checked = check();
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    EXPECT_THAT(checked.out, HasSubstr("3 of 3 voting files of cluster atlas"));
    EXPECT_EQ(check({"c", "a"}).exit_code, 0);  // Part of a set, in any order.
}

TEST_F(VotefileTest, LargeSectors) {
    ASSERT_EQ(create({"--sector-size", "4096"}, {"a"}).exit_code, 0);
    EXPECT_EQ(header_of("a").sector_size, 4096U);
    EXPECT_TRUE(bytes_of(path("a")) == image(header_of("a"), {"a"}));
    EXPECT_EQ(check({"a"}).exit_code, 0);
}

TEST_F(VotefileTest, RefusesWhatBreaksARuleAndLeavesNothingBehind) {
    expect_refused(create({}, {"a", "b"}), "odd count");
    expect_refused(create({}, {"a", "b", "c", "d"}), "odd count");
    expect_refused(create({},
                          {"1",
                           "2",
                           "3",
                           "4",
                           "5",
                           "6",
                           "7",
                           "8",
                           "9",
                           "10",
                           "11",
                           "12",
                           "13",
                           "14",
                           "15",
                           "16",
                           "17"}),
                   "1 to 15");
    expect_refused(create({}, {"a", "b", "a"}), "same file");
    expect_refused(create({}, {"a", "missing/b", "c"}), "missing/b");
    expect_refused(create({"--misscount", "300"}), "disktimeout");
    expect_refused(create({"--reboottime", "1"}), "reboottime");
    expect_refused(run({"create", "--cluster-name", "no blanks", path("a")}), "cluster name");
    fs::create_directory(path("directory"));
    expect_refused(create({}, {"directory"}), "neither a plain file nor a block device");
    EXPECT_FALSE(exists("a"));
    EXPECT_FALSE(exists("b"));
}

TEST_F(VotefileTest, RefusesASymbolicLinkToTheSameFile) {
    std::ofstream{path("a")};
    fs::create_symlink(path("a"), path("b"));
    expect_refused(create(), "same file");
    EXPECT_EQ(fs::file_size(path("a")), 0U);
}

TEST_F(VotefileTest, KeepsOtherDataUnlessForced) {
    const std::string mail(200'000, 'x');
    std::ofstream{path("b")} << mail;
    expect_refused(create(), "b holds other data: give --force");
    EXPECT_EQ(text_of(path("b")), mail);
    EXPECT_FALSE(exists("a"));
    ASSERT_EQ(create({"--force"}).exit_code, 0);
    EXPECT_EQ(check().exit_code, 0);
}

TEST_F(VotefileTest, EmptyFilesNeedNoForce) {
    std::ofstream{path("a")} << std::string(1'000'000, '\0');
    std::ofstream{path("b")};
    const Ended created = create();
    ASSERT_EQ(created.exit_code, 0) << created.err;
    EXPECT_EQ(check().exit_code, 0);
}

TEST_F(VotefileTest, KeepsVotingFilesUnlessForced) {
    ASSERT_EQ(create().exit_code, 0);
    const Header before = header_of("b");
    expect_refused(create(), "is a voting file of cluster 'atlas'");
    expect_refused(create({}, {"new1", "b", "new2"}), "is a voting file of cluster 'atlas'");
    EXPECT_EQ(header_of("b"), before);
    EXPECT_FALSE(exists("new1"));
    const std::byte flipped{0xFF};
    write("c", 300, {&flipped, 1});
    expect_refused(create({}, {"c"}), "is a damaged voting file");
    ASSERT_EQ(create({"--force"}).exit_code, 0);
    EXPECT_NE(header_of("b").cluster, before.cluster);
    EXPECT_NE(header_of("b").file, before.file);
}

// As the daemon does: a read lock on the header, a write lock on its slot.
TEST_F(VotefileTest, NeverTouchesAFileInUseOnThisHost) {
    ASSERT_EQ(create().exit_code, 0);
    const Bytes before = bytes_of(path("b"));
    const Extent slot = Layout{512}.slot(NodeNumber{7});
    for (const bool header : {true, false}) {
        const int fd = ::open(path("b").c_str(), O_RDWR | O_CLOEXEC);
        struct flock lock {};
        lock.l_type = static_cast<short>(header ? F_RDLCK : F_WRLCK);
        lock.l_whence = SEEK_SET;
        lock.l_start = header ? 0 : static_cast<off_t>(slot.offset);
        lock.l_len = header ? off_t{kHeaderSize} : static_cast<off_t>(slot.size);
        ASSERT_EQ(::fcntl(fd, F_OFD_SETLK, &lock), 0);
        expect_refused(create({"--force"}),
                       "b is in use by process " + std::to_string(::getpid()) + " (votefile_test)");
        EXPECT_EQ(bytes_of(path("b")), before);
        EXPECT_EQ(check().exit_code, 0);  // Looking is allowed.
        ::close(fd);
    }
    EXPECT_EQ(create({"--force"}).exit_code, 0);
}

TEST_F(VotefileTest, NeverTouchesAFileWhoseHeartbeatsMove) {
    ASSERT_EQ(create().exit_code, 0);
    Heartbeat heartbeat = samples::heartbeat();
    write_heartbeat("c", NodeNumber{2}, heartbeat);
    std::atomic<bool> stop{false};
    std::thread other_host{[&] {
        while (!stop) {
            heartbeat.sequence = Sequence{heartbeat.sequence.value() + 1};
            write_heartbeat("c", NodeNumber{2}, heartbeat);
            std::this_thread::sleep_for(std::chrono::milliseconds{50});
        }
    }};
    const Ended ended = create({"--force"});
    stop = true;
    other_host.join();
    expect_refused(ended, "c is in use by another host: the heartbeats of node 2 move");
    EXPECT_EQ(check().exit_code, 0);
}

TEST_F(VotefileTest, CheckFindsEveryDamage) {
    ASSERT_EQ(create().exit_code, 0);
    const Bytes good = bytes_of(path("b"));
    const Layout layout{512};
    const auto expect_found = [&](std::uint64_t offset, const std::string& what) {
        const std::byte flipped = good[offset] ^ std::byte{0x10};
        write("b", offset, {&flipped, 1});
        const Ended ended = check();
        EXPECT_EQ(ended.exit_code, 1);
        EXPECT_THAT(ended.err, AllOf(HasSubstr(path("b")), HasSubstr(what)));
        write("b", offset, {&good[offset], 1});
    };
    expect_found(100, "no valid voting file header (bad checksum)");
    expect_found(2000, "the path hints behind the header are damaged");
    expect_found(layout.slot(NodeNumber{1}).offset + 20, "node 1: heartbeat: bad checksum");
    expect_found(layout.slot(NodeNumber{64}).offset + 512 + 99, "node 64: ballot: bad checksum");
    expect_found(layout.kill(NodeNumber{33}).offset + 511, "node 33: kill block: bad checksum");
    EXPECT_EQ(check().exit_code, 0);

    // A slot that landed elsewhere, and one of another file.
    const Bytes from_c = bytes_of(path("c"));
    const auto slot = [&](const Bytes& bytes, unsigned n) {
        const Extent extent = layout.slot(NodeNumber{n});
        return std::span{bytes}.subspan(extent.offset, extent.size);
    };
    write("b", layout.slot(NodeNumber{4}).offset, slot(good, 5));
    EXPECT_THAT(check().err, HasSubstr("node 4: heartbeat: another slot's"));
    write("b", layout.slot(NodeNumber{4}).offset, slot(from_c, 4));
    EXPECT_THAT(check().err, HasSubstr("node 4: kill block: another voting file's"));
    fs::resize_file(path("b"), 50'000);
    EXPECT_THAT(check().err, HasSubstr("cut short"));
    fs::resize_file(path("b"), 100);
    EXPECT_THAT(check().err, HasSubstr("100 bytes"));
    fs::remove(path("b"));
    EXPECT_EQ(check().exit_code, 1);
}

TEST_F(VotefileTest, CheckFindsFilesThatDoNotBelongTogether) {
    ASSERT_EQ(create().exit_code, 0);
    ASSERT_EQ(create({}, {"other"}).exit_code, 0);
    fs::copy_file(path("a"), path("copy"));
    Ended ended = check({"a", "other", "c"});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr("other belongs to another cluster"));
    ended = check({"a", "b", "copy"});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr("same voting file"));
    Header newer = header_of("b");
    newer.generation = 2;
    newer.files = FileSet{0b010};
    newer.table[0].in_use = false;
    newer.table[2].uid.bytes[0] ^= std::byte{1};
    std::array<std::byte, kHeaderSize> bytes{};
    encode_header(newer, bytes);
    write("b", 0, bytes);
    ended = check();
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr(path("a") + " is not in the set of voting files that " + path("b") +
                                " names in generation 2"),
                      HasSubstr(path("c") + " is not in the set")));
}

TEST_F(VotefileTest, DumpShowsUsedSlots) {
    ASSERT_EQ(create().exit_code, 0);
    EXPECT_THAT(run({"dump", path("a")}).out, HasSubstr("no slot is used"));
    const Header header = header_of("a");
    const Layout layout{512};
    write_heartbeat("a", NodeNumber{5}, samples::heartbeat());
    Bytes sector(512);
    encode_ballot(header.identity(), NodeNumber{5}, samples::ballot(), sector);
    write("a", layout.slot(NodeNumber{5}).offset + 512, sector);
    encode_kill(header.identity(), NodeNumber{9}, samples::kill(), sector);
    write("a", layout.kill(NodeNumber{9}).offset, sector);
    sector[70] ^= std::byte{1};
    write("a", layout.kill(NodeNumber{11}).offset, sector);

    ::setenv("TZ", "UTC", 1);
    const Ended text = run({"dump", path("a")});
    EXPECT_EQ(text.exit_code, 0) << text.err;
    for (const char* part : {"cluster      atlas, GUID",
                             " node 5\n",
                             "ACTIVE, unique 1786481821 (2026-08-11 ",
                             "written 2026-11-22 03:05:24.016",
                             "connected 5 6 7 8 13",
                             "promises misscount 1,",
                             "reboottime 200ms",
                             "mbal 450 (round 7), bal 386",
                             " node 9\n",
                             "victim 1786481821",
                             "reason link lost, confirmed stopped",
                             " node 11\n",
                             "kill block   UNREADABLE: bad checksum"}) {
        EXPECT_THAT(text.out, HasSubstr(part));
    }
    const Ended json_text = run({"dump", "--json", path("a"), path("b")});
    EXPECT_EQ(json_text.exit_code, 0);
    const auto json = nlohmann::json::parse(json_text.out);
    EXPECT_EQ(json["files"][0]["path"], path("a"));
    EXPECT_EQ(json["files"][0]["header"]["cluster_guid"], to_hex(header.cluster.bytes));
    const auto& slots = json["files"][0]["slots"];
    ASSERT_EQ(slots.size(), 3U);
    EXPECT_EQ(slots[0]["node"], 5);
    EXPECT_EQ(slots[0]["heartbeat"]["state"], "ACTIVE");
    EXPECT_EQ(slots[0]["heartbeat"]["written"], "2026-11-22T03:05:24.016Z");
    EXPECT_EQ(slots[0]["heartbeat"]["record"]["unique"]["1"], 0x60000000);
    EXPECT_EQ(slots[0]["ballot"]["mbal"], 450);
    EXPECT_EQ(slots[0]["kill_block"]["empty"], true);
    EXPECT_EQ(slots[1]["kill_block"]["confirmed"], true);
    EXPECT_EQ(slots[2]["kill_block"]["verdict"], "bad checksum");
    EXPECT_TRUE(json["files"][1]["slots"].empty());
}

TEST_F(VotefileTest, DumpOfWhatIsNoVotingFile) {
    ASSERT_EQ(create({}, {"a"}).exit_code, 0);
    std::ofstream{path("x")} << std::string(8192, 'x');
    const Ended text = run({"dump", path("x"), path("a"), path("missing")});
    EXPECT_EQ(text.exit_code, 1);
    EXPECT_THAT(text.err, AllOf(HasSubstr("x: no valid voting file header"), HasSubstr("missing")));
    EXPECT_THAT(text.out, HasSubstr("cluster      atlas"));
    const Ended json_text = run({"dump", path("x"), path("missing"), "--json"});
    EXPECT_EQ(json_text.exit_code, 1);
    const auto json = nlohmann::json::parse(json_text.out);
    EXPECT_EQ(json["files"][0]["verdict"], "bad checksum");
    EXPECT_THAT(json["files"][1]["error"].get<std::string>(), HasSubstr("missing"));
}

TEST_F(VotefileTest, WrongUsageIsOneLineAndExitCodeTwo) {
    const std::vector<Words> all{
        {},
        {"frobnicate"},
        {"--frobnicate"},
        {"create", path("a")},
        {"create", "--cluster-name"},
        {"create", "--cluster-name", "x"},
        {"create", "--cluster-name", "x", "--frob", path("a")},
        {"create", "--cluster", "x", path("a")},
        {"create", "--cluster-name", "x", "--misscount", "-5", path("a")},
        {"create", "--cluster-name", "x", "--misscount", "3x", path("a")},
        {"create", "--cluster-name", "x", "--max-nodes", "65", path("a")},
        {"create", "--cluster-name", "x", "--max-nodes", "0", path("a")},
        {"create", "--cluster-name", "x", "--max-nodes", "-1", path("a")},
        {"create", "--cluster-name", "x", "--sector-size", "1024", path("a")},
        {"create", "--cluster-name", "x", ""},
        {"dump"},
        {"dump", "--jsn", path("a")},
        {"check"},
        {"check", "--json", path("a")}};
    for (const Words& words : all) {
        const Ended ended = run(words);
        const std::string shown = testing::PrintToString(words);
        EXPECT_EQ(ended.exit_code, 2) << shown;
        EXPECT_EQ(ended.out, "") << shown;
        EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << shown << ended.err;
    }
    EXPECT_FALSE(exists("a"));
}

TEST_F(VotefileTest, HelpAndVersion) {
    for (const Words& words :
         std::vector<Words>{{"--help"}, {"create", "--help"}, {"dump", "--help"}}) {
        const Ended help = run(words);
        EXPECT_EQ(help.exit_code, 0);
        EXPECT_THAT(help.out, HasSubstr("--cluster-name NAME"));
    }
    const Ended version = run({"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_THAT(version.out, testing::StartsWith("votefile "));
}

/// A block device on a plain file, with sectors of the size asked for.
class LoopDevice {
public:
    LoopDevice(std::string file, Ended made) : file_(std::move(file)), made_(std::move(made)) {}
    LoopDevice(const LoopDevice&) = delete;
    LoopDevice& operator=(const LoopDevice&) = delete;
    ~LoopDevice() {
        if (ok()) {
            const std::string command = "losetup -d " + path();
            (void)!std::system(command.c_str());
        }
    }
    bool ok() const { return made_.exit_code == 0; }
    const std::string& why() const { return made_.err; }
    std::string path() const { return made_.out.substr(0, made_.out.find('\n')); }

private:
    std::string file_;
    Ended made_;
};

class VotefileLoopTest : public VotefileTest {
protected:
    LoopDevice loop(const std::string& name, std::size_t size, const std::string& sector_size) {
        std::ofstream{path(name)};
        fs::resize_file(path(name), size);
        return {path(name), run({"-f", "--show", "-b", sector_size, path(name)}, "losetup")};
    }
};

TEST_F(VotefileLoopTest, BlockDevicesDecideTheSectorSize) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root for loop devices";
    }
    LoopDevice large = loop("large", 1 << 20, "4096");
    LoopDevice small = loop("small", 1 << 20, "512");
    LoopDevice tiny = loop("tiny", 64 << 10, "512");
    if (!large.ok() || !small.ok() || !tiny.ok()) {
        GTEST_SKIP() << "no loop devices here: " << large.why() << small.why() << tiny.why();
    }
    const auto create_on = [&](Words options, const Words& paths) {
        Words words{"create", "--cluster-name", "atlas"};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), paths.begin(), paths.end());
        return run(words);
    };
    expect_refused(create_on({"--sector-size", "512"}, {large.path()}), "--sector-size 4096");
    expect_refused(create_on({}, {tiny.path()}), "65536 bytes");
    expect_refused(create_on({}, {small.path(), path("new"), small.path()}), "same file");
    const Ended created = create_on({}, {small.path(), large.path(), path("plain")});
    ASSERT_EQ(created.exit_code, 0) << created.err;
    EXPECT_THAT(created.out, HasSubstr("sectors of 4096 bytes"));
    EXPECT_EQ(run({"check", large.path(), path("plain"), small.path()}).exit_code, 0);
    EXPECT_EQ(run({"dump", large.path()}).exit_code, 0);
    // A lock on the device is seen as one on a plain file is.
    const int fd = ::open(small.path().c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = off_t{kHeaderSize};
    ASSERT_EQ(::fcntl(fd, F_OFD_SETLK, &lock), 0);
    expect_refused(create_on({"--force"}, {small.path()}),
                   "is in use by process " + std::to_string(::getpid()));
    ::close(fd);
}

}  // namespace
}  // namespace css::voting
