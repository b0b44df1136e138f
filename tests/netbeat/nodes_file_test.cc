#include "netbeat/wire/nodes_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace css::netbeat {
namespace {

NodesFile parsed(std::string_view text) {
    auto file = parse_nodes_file(text, "nodes");
    EXPECT_TRUE(file) << file.error().message << "\nin:\n" << text;
    return file ? std::move(file).value() : NodesFile{};
}

/// What a file means, in one line: `1=a 10.0.0.1:5499; 2=#b`.
std::string shown(const NodesFile& file) {
    std::string text;
    for (std::size_t i = 0; i < file.entries.size(); ++i) {
        const NodeEntry& entry = file.entries[i];
        text += (i == 0 ? "" : "; ") + std::to_string(i + 1) + "=" + (entry.deleted ? "#" : "") +
                entry.name;
        for (const Address& address : entry.addresses) {
            text += " " + to_string(address);
        }
    }
    return text;
}

TEST(NodesFile, TruthTable) {
    const std::vector<std::pair<std::string, std::string>> rows{
        {"a 10.0.0.1\n", "1=a 10.0.0.1:5499"},
        {"a 10.0.0.1", "1=a 10.0.0.1:5499"},
        {"a 10.0.0.1\nb 10.0.0.2\n", "1=a 10.0.0.1:5499; 2=b 10.0.0.2:5499"},
        {"\n\na 10.0.0.1\n\n  \t\nb 10.0.0.2\n\n", "1=a 10.0.0.1:5499; 2=b 10.0.0.2:5499"},
        {"  a\t10.0.0.1  \r\n", "1=a 10.0.0.1:5499"},
        {"a 10.0.0.1:7000", "1=a 10.0.0.1:7000"},
        {"a 127.0.0.1:7001\nb 127.0.0.1:7002", "1=a 127.0.0.1:7001; 2=b 127.0.0.1:7002"},
        {"a 10.0.0.1 10.1.0.1:7000", "1=a 10.0.0.1:5499 10.1.0.1:7000"},
        {"a [::1]:5499", "1=a [::1]:5499"},
        {"a [fd00::1]", "1=a [fd00::1]:5499"},
        {"a fd00::1", "1=a [fd00::1]:5499"},
        {"a fd00::1:b", "1=a [fd00::1:b]:5499"},  // No port looks like that.
        {"a fd00:1:2:3:4:5:6:7", "1=a [fd00:1:2:3:4:5:6:7]:5499"},
        {"a FD00:0::1 10.0.0.1", "1=a [fd00::1]:5499 10.0.0.1:5499"},
        {"#a 10.0.0.1\nb 10.0.0.2", "1=#a; 2=b 10.0.0.2:5499"},
        {"a 10.0.0.1\n  # b 10.0.0.2\nc 10.0.0.3", "1=a 10.0.0.1:5499; 2=#b; 3=c 10.0.0.3:5499"},
        {"a 10.0.0.1\n#\nc 10.0.0.3", "1=a 10.0.0.1:5499; 2=#; 3=c 10.0.0.3:5499"},
        {"a 10.0.0.1\n#a 10.0.0.1\n", "1=a 10.0.0.1:5499; 2=#a"},  // Deleted: reuse is allowed.
        {"#anything goes [here\na 10.0.0.1", "1=#anything; 2=a 10.0.0.1:5499"},
        {"node-1_x.example.org 10.0.0.1", "1=node-1_x.example.org 10.0.0.1:5499"},
        {"a 10.0.0.1\nb 10.0.0.2 10.1.0.2", "1=a 10.0.0.1:5499; 2=b 10.0.0.2:5499 10.1.0.2:5499"},
    };
    for (const auto& [text, meaning] : rows) {
        EXPECT_EQ(shown(parsed(text)), meaning) << text;
    }
}

TEST(NodesFile, ErrorsNameTheLineAndTheTrouble) {
    std::string nine = "a";
    for (int i = 1; i <= 9; ++i) {
        nine += " 10.0.0." + std::to_string(i);
    }
    const std::vector<std::pair<std::string, std::vector<std::string>>> rows{
        {"", {"nodes: ", "names no node"}},
        {"\n \n", {"nodes: ", "names no node"}},
        {"#a 10.0.0.1\n", {"nodes: ", "names no node"}},
        {"a\n", {"nodes:1: ", "'a' has no address"}},
        {"\n\n10.0.0.1\n", {"nodes:3: ", "'10.0.0.1' has no address"}},
        {"a 10.0.0.1\na 10.0.0.2", {"nodes:2: ", "'a' stands in line 1 already"}},
        {"a 10.0.0.1\n\nb 10.0.0.1", {"nodes:3: ", "10.0.0.1:5499 stands in line 1 already"}},
        {"a 10.0.0.1\nb 10.0.0.1:5499", {"nodes:2: ", "10.0.0.1:5499 stands in line 1 already"}},
        {"a 10.0.0.1 10.0.0.1", {"nodes:1: ", "stands in line 1 already"}},
        {"a [::1]\nb [0:0::1]:5499", {"nodes:2: ", "[::1]:5499 stands in line 1 already"}},
        {"a 10.0.0.256", {"nodes:1: ", "'10.0.0.256' is not an IPv4 address"}},
        {"a 10.0.0", {"nodes:1: ", "'10.0.0' is not an IPv4 address"}},
        {"a host.example.org", {"nodes:1: ", "'host.example.org' is not an IPv4 address"}},
        {"a [::1", {"nodes:1: ", "'[::1' is not an address"}},
        {"a [::1]5499", {"nodes:1: ", "is not an address"}},
        {"a [10.0.0.1]:5499", {"nodes:1: ", "is not an IPv6 address"}},
        {"a []:1", {"nodes:1: ", "is not an IPv6 address"}},
        {"a fe80:::1", {"nodes:1: ", "is not an IPv6 address"}},
        {"a 10.0.0.1:", {"nodes:1: ", "bad port"}},
        {"a [::1]:", {"nodes:1: ", "bad port"}},
        {"a 10.0.0.1:0", {"nodes:1: ", "bad port"}},
        {"a 10.0.0.1:65536", {"nodes:1: ", "bad port"}},
        {"a 10.0.0.1:-1", {"nodes:1: ", "bad port"}},
        {"a 10.0.0.1:+1", {"nodes:1: ", "bad port"}},
        {"a 10.0.0.1:7x", {"nodes:1: ", "bad port"}},
        {"a ::1:7000", {"nodes:1: ", "'::1:7000'", "[::1]:7000"}},
        {"a fd00::12:34", {"nodes:1: ", "[fd00::12]:34", "[fd00::12:34]"}},
        {"a 0.0.0.0", {"nodes:1: ", "any address"}},
        {"a [::]", {"nodes:1: ", "any address"}},
        {"a 224.0.0.1", {"nodes:1: ", "multicast"}},
        {"a 255.255.255.255", {"nodes:1: ", "broadcast"}},
        {"a ff02::1", {"nodes:1: ", "multicast"}},
        {"a fe80::1", {"nodes:1: ", "link-local"}},
        {"a fe80::1%eth0", {"nodes:1: ", "is not an IPv6 address"}},
        {"a ::ffff:10.0.0.1", {"nodes:1: ", "write it as IPv4"}},
        {"a! 10.0.0.1", {"nodes:1: ", "bad node name 'a!'"}},
        {std::string(65, 'a') + " 10.0.0.1", {"nodes:1: ", "bad node name"}},
        {"a 10.0.0.1 # the first", {"nodes:1: ", "'#' is not an IPv4 address"}},
        {"a 10.0.0.1\nb fd00::2", {"nodes:2: ", "IP version", "line 1"}},
        {"a 10.0.0.1 fd00::1\nb 10.0.0.2 10.1.0.2", {"nodes:2: ", "address 2", "IP version"}},
        {nine, {"nodes:1: ", "more than 8 addresses"}},
        {std::string{"a\0b 10.0.0.1", 12}, {"nodes:1: ", "bad node name"}},
        {std::string{"a 10.0.0.1\0", 11}, {"nodes:1: ", "is not an IPv4 address"}},
    };
    for (const auto& [text, parts] : rows) {
        const auto file = parse_nodes_file(text, "nodes");
        ASSERT_FALSE(file) << text;
        EXPECT_EQ(file.error().code, ErrorCode::kInvalid);
        EXPECT_EQ(file.error().message.rfind(parts.front(), 0), 0U) << file.error().message;
        for (const std::string& part : parts) {
            EXPECT_NE(file.error().message.find(part), std::string::npos)
                << "wanted: " << part << "\ngot: " << file.error().message;
        }
    }
}

std::string lines(unsigned count) {
    std::string text;
    for (unsigned i = 1; i <= count; ++i) {
        text += (i % 5 == 0 ? "#" : "") + std::string{"n"} + std::to_string(i) + " 10.0.0." +
                std::to_string(i) + "\n\n";
    }
    return text;
}

TEST(NodesFile, SixtyFourLinesAreTheMost) {
    EXPECT_EQ(parsed(lines(64)).slots_used(), 64U);
    const auto more = parse_nodes_file(lines(64) + "# deleted ones count\n", "nodes");
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().message.rfind("nodes:129: more than 64 nodes", 0), 0U)
        << more.error().message;
}

TEST(NodesFile, LooksUpByNumberAndName) {
    const NodesFile file = parsed("a 10.0.0.1\n#b 10.0.0.2\nc 10.0.0.3\n#d\n");
    EXPECT_EQ(file.configured(), NodeSet{0b101});
    EXPECT_EQ(file.slots_used(), 4U);
    EXPECT_EQ(file.find("c"), NodeNumber{3});
    EXPECT_EQ(file.find("b"), NodeNumber{});
    EXPECT_EQ(file.find("x"), NodeNumber{});
    EXPECT_EQ(file.at(NodeNumber{3}).name, "c");
    EXPECT_TRUE(file.at(NodeNumber{2}).deleted);
}

TEST(NodesFile, FingerprintCountsWhatMatters) {
    const std::string base = "a 10.0.0.1 10.1.0.1\nb 10.0.0.2 10.1.0.2\n#c 10.0.0.3\n";
    const auto print = parsed(base).fingerprint();
    for (const std::string same : {
             "a 10.0.0.1:5499   10.1.0.1\n\n  b 10.0.0.2 10.1.0.2\r\n# gone",
             "a 10.0.0.1 10.1.0.1\nb 10.0.0.2 10.1.0.2\n#\n",
         }) {
        EXPECT_EQ(parsed(same).fingerprint(), print) << same;
    }
    for (const std::string other : {
             "a 10.0.0.1 10.1.0.1\nb 10.0.0.2 10.1.0.2\n",
             "a 10.0.0.1 10.1.0.1\nb 10.0.0.2 10.1.0.2\n#c\n#d\n",
             "a 10.0.0.1 10.1.0.1\n#c\nb 10.0.0.2 10.1.0.2\n",
             "b 10.0.0.1 10.1.0.1\na 10.0.0.2 10.1.0.2\n#c\n",
             "a 10.1.0.1 10.0.0.1\nb 10.0.0.2 10.1.0.2\n#c\n",
             "a 10.0.0.1:5500 10.1.0.1\nb 10.0.0.2 10.1.0.2\n#c\n",
             "a 10.0.0.1\nb 10.0.0.2 10.1.0.2\n#c\n",
             "A 10.0.0.1 10.1.0.1\nb 10.0.0.2 10.1.0.2\n#c\n",
         }) {
        EXPECT_NE(parsed(other).fingerprint(), print) << other;
    }
    // All members compare it, also over a rolling upgrade: it may not change.
    EXPECT_EQ(parsed("a 10.0.0.1\n").fingerprint(), 0xeb92bfef6e119b0eU);
}

TEST(NodesFile, LoadsFromDisk) {
    std::string path = (std::filesystem::temp_directory_path() / "css-nodes-XXXXXX").string();
    const int fd = ::mkstemp(path.data());
    ASSERT_GE(fd, 0);
    ::close(fd);
    std::ofstream{path} << "a 10.0.0.1\nb oops\n";
    const auto bad = load_nodes_file(path);
    std::ofstream{path} << "a 10.0.0.1\n";
    const auto good = load_nodes_file(path);
    std::ofstream{path} << "";
    const auto empty = load_nodes_file(path);
    std::filesystem::remove(path);
    const auto missing = load_nodes_file(path);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().message.rfind(path + ":2: ", 0), 0U) << bad.error().message;
    EXPECT_TRUE(good) << good.error().message;
    EXPECT_FALSE(empty);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().system_errno, ENOENT);
    EXPECT_NE(missing.error().message.find(path), std::string::npos);
    const auto directory = load_nodes_file("/");
    ASSERT_FALSE(directory);
    EXPECT_EQ(directory.error().system_errno, EISDIR);
}

TEST(Address, TextComesBackTheSame) {
    for (const std::string text : {"10.0.0.1:5499",
                                   "1.2.3.4:1",
                                   "127.0.0.1:65535",
                                   "[::1]:5499",
                                   "[fd00:1:2:3:4:5:6:7]:80"}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address) << address.error().message;
        EXPECT_EQ(to_string(*address), text);
    }
}

}  // namespace
}  // namespace css::netbeat
