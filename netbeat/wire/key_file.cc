#include "netbeat/wire/key_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::netbeat {

namespace {

constexpr std::size_t kDigits = 2 * kKeySize;
// The digits, "\r\n" and one byte more: enough to see that a file is too long.
constexpr std::size_t kReadMax = kDigits + 3;

Error failed(const std::string& path, const std::string& what, int error) {
    return Error{ErrorCode::kSystem,
                 error,
                 path + ": " + what + ": " + std::generic_category().message(error)};
}

Error refuse(const std::string& path, const std::string& why) {
    return Error{ErrorCode::kInvalid, 0, path + ": " + why};
}

class File {
public:
    explicit File(int fd) : fd_(fd) {}
    ~File() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    File(File&&) = delete;
    File& operator=(File&&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

private:
    const int fd_;
};

/// Text that held a secret; wiped when it goes.
class SecretText {
public:
    SecretText() = default;
    ~SecretText() { sodium_memzero(text_.data(), text_.size()); }
    SecretText(const SecretText&) = delete;
    SecretText& operator=(const SecretText&) = delete;
    SecretText(SecretText&&) = delete;
    SecretText& operator=(SecretText&&) = delete;
    char* data() { return text_.data(); }
    static constexpr std::size_t capacity() { return kReadMax; }

private:
    std::array<char, kReadMax> text_{};
};

int digit_of(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Result<Key> parse_key(std::string_view text, const std::string& path) {
    for (const char end : {'\n', '\r'}) {
        if (text.ends_with(end)) {
            text.remove_suffix(1);
        }
    }
    if (text.size() != kDigits) {
        return refuse(path,
                      "a key file holds exactly 64 hex digits; this one is " +
                          std::string{text.size() < kDigits ? "shorter" : "longer"});
    }
    std::array<std::byte, kKeySize> bytes{};
    for (std::size_t i = 0; i < kKeySize; ++i) {
        const int high = digit_of(text[2 * i]);
        const int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            sodium_memzero(bytes.data(), bytes.size());
            const std::size_t at = 2 * i + (high < 0 ? 1 : 2);
            return refuse(path,
                          "a key file holds exactly 64 hex digits; character " +
                              std::to_string(at) + " is none");
        }
        bytes[i] = static_cast<std::byte>(high * 16 + low);
    }
    Key key{bytes};
    sodium_memzero(bytes.data(), bytes.size());
    return key;
}

/// Reads until the end or until `text` is full; the number of bytes, or -1 with errno.
ssize_t read_all(int fd, SecretText& text) {
    std::size_t size = 0;
    while (size < SecretText::capacity()) {
        const ssize_t n = ::read(fd, text.data() + size, SecretText::capacity() - size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        size += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(size);
}

int write_key(int fd, const Key& key) {
    SecretText text;
    static_assert(kReadMax >= kDigits + 1);
    sodium_bin2hex(text.data(),
                   kDigits + 1,
                   reinterpret_cast<const unsigned char*>(key.bytes().data()),
                   kKeySize);
    text.data()[kDigits] = '\n';
    // The mode given to open() is cut down by the umask, never widened: set it exactly.
    if (::fchmod(fd, S_IRUSR | S_IWUSR) != 0) {
        return errno;
    }
    const ssize_t n = ::write(fd, text.data(), kDigits + 1);
    if (n != static_cast<ssize_t>(kDigits + 1)) {
        return n < 0 ? errno : ENOSPC;
    }
    return ::fsync(fd) == 0 ? 0 : errno;
}

int sync_directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const File opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return opened.fd() >= 0 && ::fsync(opened.fd()) == 0 ? 0 : errno;
}

}  // namespace

Key::Key(std::span<const std::byte, kKeySize> bytes) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

Key::~Key() {
    sodium_memzero(bytes_.data(), bytes_.size());
}

bool operator==(const Key& a, const Key& b) {
    return sodium_memcmp(a.bytes_.data(), b.bytes_.data(), kKeySize) == 0;
}

Key random_key() {
    CSS_CHECK(sodium_init() >= 0);
    std::array<std::byte, kKeySize> bytes{};
    randombytes_buf(bytes.data(), bytes.size());
    Key key{bytes};
    sodium_memzero(bytes.data(), bytes.size());
    return key;
}

Result<Key> load_key_file(const std::string& path) {
    // O_NONBLOCK: a FIFO in the place of the file must not make the daemon wait for a writer.
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd() < 0) {
        return failed(path, "cannot open the key file", errno);
    }
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0) {
        return failed(path, "cannot examine the key file", errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return refuse(path, "the key file is not a regular file");
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse(path, "the key file is open to group or others: chmod 600 it");
    }
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return refuse(path,
                      "the key file belongs to user " + std::to_string(status.st_uid) +
                          ": chown it to root, or to the user that runs cssd");
    }
    SecretText text;
    const ssize_t size = read_all(file.fd(), text);
    if (size < 0) {
        return failed(path, "cannot read the key file", errno);
    }
    return parse_key(std::string_view{text.data(), static_cast<std::size_t>(size)}, path);
}

Status create_key_file(const std::string& path) {
    const Key key = random_key();
    const File file{::open(
        path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    if (file.fd() < 0 && errno == EEXIST) {
        return Error{ErrorCode::kConflict,
                     EEXIST,
                     path + ": exists already; a key file is never overwritten"};
    }
    if (file.fd() < 0) {
        return failed(path, "cannot create the key file", errno);
    }
    int error = write_key(file.fd(), key);
    if (error == 0) {
        error = sync_directory_of(path);
    }
    if (error != 0) {
        ::unlink(path.c_str());
        return failed(path, "cannot write the key file", error);
    }
    return Done{};
}

std::uint64_t fingerprint(const Key& key) {
    std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
    CSS_CHECK(sodium_init() >= 0);
    CSS_CHECK(crypto_generichash(hash.data(),
                                 hash.size(),
                                 reinterpret_cast<const unsigned char*>(key.bytes().data()),
                                 kKeySize,
                                 nullptr,
                                 0) == 0);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
        value = value << 8U | hash.at(i);
    }
    return value;
}

Status replace_key_file(const std::string& from, const std::string& to) {
    // Whoever wrote it may have left it to the kernel when it reaches the disk.
    const File file{::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd() < 0 || ::fsync(file.fd()) != 0) {
        return failed(from, "cannot sync the key file", errno);
    }
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return failed(to, "cannot be replaced by " + from, errno);
    }
    if (const int error = sync_directory_of(to); error != 0) {
        return failed(to, "is replaced, but its directory cannot be synced", error);
    }
    return Done{};
}

}  // namespace css::netbeat
