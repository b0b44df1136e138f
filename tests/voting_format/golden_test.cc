#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/voting_format/samples.h"
#include "voting/format/codec.h"
#include "voting/format/header.h"

/// The bytes on disk may not change by accident: other versions, and other daemons of the same
/// cluster, read them. CSS_REWRITE=1 writes the dumps anew; the reviewer reads the difference.
namespace css::voting {
namespace {

/// One line for 16 bytes: offset, bytes. Runs of lines with zeros only are left out.
std::string dump(std::span<const std::byte> bytes) {
    std::ostringstream text;
    text << std::hex << std::setfill('0');
    for (std::size_t at = 0; at < bytes.size(); at += 16) {
        const auto line = bytes.subspan(at, 16);
        if (std::all_of(line.begin(), line.end(), [](std::byte b) { return b == std::byte{0}; })) {
            continue;
        }
        text << std::setw(4) << at;
        for (const std::byte b : line) {
            text << ' ' << std::setw(2) << std::to_integer<unsigned>(b);
        }
        text << '\n';
    }
    text << std::setw(4) << bytes.size() << '\n';
    return text.str();
}

void expect_golden(const std::string& name, std::span<const std::byte> bytes) {
    const std::string path = std::string{CSS_GOLDEN_DIR} + "/" + name + ".hex";
    if (std::getenv("CSS_REWRITE") != nullptr) {
        std::ofstream{path} << dump(bytes);
    }
    std::ifstream file{path};
    ASSERT_TRUE(file) << path;
    std::ostringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(dump(bytes), golden.str()) << name;
}

TEST(Golden, Sectors) {
    for (const std::size_t size : {512U, 4096U}) {
        const SectorIdentity identity = samples::identity(size);
        const std::string suffix = "_" + std::to_string(size);
        std::vector<std::byte> sector(size);
        encode_heartbeat(identity, NodeNumber{5}, samples::heartbeat(), sector);
        expect_golden("heartbeat" + suffix, sector);
        encode_ballot(identity, NodeNumber{5}, samples::ballot(), sector);
        expect_golden("ballot" + suffix, sector);
        encode_kill(identity, NodeNumber{5}, samples::kill(), sector);
        expect_golden("kill" + suffix, sector);
        std::array<std::byte, kHeaderSize> header{};
        encode_header(headers_of(samples::new_set(size)).front(), header);
        expect_golden("header" + suffix, header);
    }
}

TEST(Golden, FormattedSlot) {
    const Header header = headers_of(samples::new_set(512))[1];
    const std::vector<std::byte> image = formatted_image(header);
    const Layout layout{512};
    const Extent slot = layout.slot(NodeNumber{64});
    expect_golden("formatted_slot_64", std::span{image}.subspan(slot.offset, slot.size));
}

}  // namespace
}  // namespace css::voting
