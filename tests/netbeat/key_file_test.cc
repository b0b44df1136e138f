#include "netbeat/wire/key_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace css::netbeat {
namespace {

namespace fs = std::filesystem;

class KeyFile : public testing::Test {
protected:
    KeyFile() {
        std::string name = (fs::temp_directory_path() / "css-key-XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
    }
    ~KeyFile() override {
        std::error_code ignored;
        fs::remove_all(directory_, ignored);
    }

    [[nodiscard]] std::string path() const { return (directory_ / "cluster.key").string(); }

    void write(const std::string& text, fs::perms mode = fs::perms{0600}) const {
        std::ofstream{path(), std::ios::binary} << text;
        fs::permissions(path(), mode);
    }
    [[nodiscard]] std::string read() const {
        std::ostringstream text;
        text << std::ifstream{path(), std::ios::binary}.rdbuf();
        return text.str();
    }

    fs::path directory_;
};

const std::string kGood = "00112233445566778899aabbccddeeff0123456789abcdefABCDEF9876543210";

TEST_F(KeyFile, ReadsSixtyFourHexDigits) {
    for (const std::string end : {"", "\n", "\r\n"}) {
        write(kGood + end);
        const auto key = load_key_file(path());
        ASSERT_TRUE(key) << key.error().message;
        EXPECT_EQ(key->bytes()[0], std::byte{0x00});
        EXPECT_EQ(key->bytes()[1], std::byte{0x11});
        EXPECT_EQ(key->bytes()[15], std::byte{0xff});
        EXPECT_EQ(key->bytes()[24], std::byte{0xab});
        EXPECT_EQ(key->bytes()[31], std::byte{0x10});
    }
}

TEST_F(KeyFile, RefusesWrongContentsWithoutShowingThem) {
    const std::vector<std::pair<std::string, std::string>> rows{
        {"", "shorter"},
        {"\n", "shorter"},
        {kGood.substr(1), "shorter"},
        {kGood.substr(1) + "\n", "shorter"},
        {kGood + "0", "longer"},
        {kGood + "\n\n", "longer"},
        {kGood + " ", "longer"},
        {kGood + kGood, "longer"},
        {"g" + kGood.substr(1), "character 1 "},
        {kGood.substr(0, 63) + "x", "character 64 "},
        {kGood.substr(0, 31) + " " + kGood.substr(32), "character 32 "},
        {kGood.substr(0, 20) + std::string(1, '\0') + kGood.substr(21), "character 21 "},
    };
    for (const auto& [text, why] : rows) {
        write(text);
        const auto key = load_key_file(path());
        ASSERT_FALSE(key) << text;
        EXPECT_EQ(key.error().code, ErrorCode::kInvalid);
        EXPECT_NE(key.error().message.find(path()), std::string::npos) << key.error().message;
        EXPECT_NE(key.error().message.find(why), std::string::npos) << key.error().message;
        EXPECT_NE(key.error().message.find("64 hex digits"), std::string::npos);
        EXPECT_EQ(key.error().message.find("2233445566"), std::string::npos);
    }
}

TEST_F(KeyFile, RefusesWhatOthersMayRead) {
    for (const unsigned mode : {0640U, 0604U, 0620U, 0602U, 0644U, 0666U}) {
        write(kGood, fs::perms{mode});
        const auto key = load_key_file(path());
        ASSERT_FALSE(key) << std::oct << mode;
        EXPECT_NE(key.error().message.find("group or others"), std::string::npos);
    }
    write(kGood, fs::perms{0400});
    EXPECT_TRUE(load_key_file(path()));
}

TEST_F(KeyFile, RefusesWhatAnotherUserOwns) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to give a file away";
    }
    write(kGood);
    ASSERT_EQ(::chown(path().c_str(), 65534, 0), 0);
    const auto key = load_key_file(path());
    ASSERT_FALSE(key);
    EXPECT_NE(key.error().message.find("belongs to user 65534: chown it to root"),
              std::string::npos)
        << key.error().message;
}

TEST_F(KeyFile, SaysWhyItCannotBeRead) {
    const auto missing = load_key_file(path());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::kSystem);
    EXPECT_EQ(missing.error().system_errno, ENOENT);
    EXPECT_NE(missing.error().message.find(path()), std::string::npos);

    const auto directory = load_key_file(directory_.string());
    ASSERT_FALSE(directory);
    EXPECT_NE(directory.error().message.find("not a regular file"), std::string::npos);

    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    const auto fifo = load_key_file(path());  // Must not wait for a writer either.
    ASSERT_FALSE(fifo);
    EXPECT_NE(fifo.error().message.find("not a regular file"), std::string::npos);
}

TEST_F(KeyFile, CreatedKeyIsPrivateFreshAndLoads) {
    const auto old_mask = ::umask(0);
    const auto created = create_key_file(path());
    ::umask(old_mask);
    ASSERT_TRUE(created) << created.error().message;
    EXPECT_EQ(fs::status(path()).permissions(), fs::perms{0600});
    EXPECT_EQ(read().size(), 65U);
    const auto first = load_key_file(path());
    ASSERT_TRUE(first) << first.error().message;
    fs::remove(path());
    ASSERT_TRUE(create_key_file(path()));
    const auto second = load_key_file(path());
    ASSERT_TRUE(second);
    EXPECT_FALSE(*first == *second);
}

TEST_F(KeyFile, CreateNeverOverwrites) {
    write("something else");
    const auto created = create_key_file(path());
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code, ErrorCode::kConflict);
    EXPECT_EQ(read(), "something else");

    fs::remove(path());
    fs::create_symlink(directory_ / "elsewhere", path());  // Nor follows a link left there.
    EXPECT_FALSE(create_key_file(path()));
    EXPECT_FALSE(fs::exists(directory_ / "elsewhere"));
}

TEST_F(KeyFile, CreateSaysWhyItCannot) {
    const auto created = create_key_file((directory_ / "none" / "cluster.key").string());
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().system_errno, ENOENT);
}

}  // namespace
}  // namespace css::netbeat
