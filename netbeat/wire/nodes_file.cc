#include "netbeat/wire/nodes_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::netbeat {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/// The next word of `rest`, taken off its front; empty at the end.
std::string_view take_word(std::string_view& rest) {
    const auto begin = std::find_if_not(rest.begin(), rest.end(), is_blank);
    const auto end = std::find_if(begin, rest.end(), is_blank);
    const auto offset = static_cast<std::size_t>(begin - rest.begin());
    const auto word = rest.substr(offset, static_cast<std::size_t>(end - begin));
    rest.remove_prefix(offset + word.size());
    return word;
}

bool is_name(std::string_view word) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    };
    return !word.empty() && word.size() <= kNodeNameMax &&
           std::all_of(word.begin(), word.end(), allowed);
}

/// Reads line after line into `file` and remembers where names and addresses stood.
class Parser {
public:
    explicit Parser(std::string_view path) : path_(path) {}

    Status line(std::string_view text) {
        ++line_;
        std::string_view rest = text;
        const auto first = take_word(rest);
        if (first.empty()) {
            return Done{};  // Not counted (SOURCES 2.2).
        }
        if (file_.entries.size() == kNodesMax) {
            return refuse("more than " + std::to_string(kNodesMax) +
                          " nodes; deleted ones ('#') keep their number and count");
        }
        if (first.front() == '#') {
            return deleted(text);
        }
        return node(first, rest);
    }

    Result<NodesFile> finish() {
        if (file_.configured().empty()) {
            return Error{ErrorCode::kInvalid,
                         0,
                         path_ + ": names no node: write one line 'name address' for each"};
        }
        return std::move(file_);
    }

private:
    Error refuse(const std::string& what) const {
        return Error{ErrorCode::kInvalid, 0, path_ + ":" + std::to_string(line_) + ": " + what};
    }

    Status deleted(std::string_view text) {
        std::string_view rest = text.substr(text.find('#') + 1);
        NodeEntry entry;
        entry.deleted = true;
        entry.name = std::string{take_word(rest)};
        file_.entries.push_back(std::move(entry));
        return Done{};
    }

    Status node(std::string_view name, std::string_view rest) {
        if (!is_name(name)) {
            return refuse("bad node name '" + std::string{name} + "': give 1 to " +
                          std::to_string(kNodeNameMax) + " letters, digits, '-', '_' or '.'");
        }
        const auto [earlier, is_new] = names_.emplace(name, line_);
        if (!is_new) {
            return refuse("node name '" + std::string{name} + "' stands in line " +
                          std::to_string(earlier->second) + " already");
        }
        NodeEntry entry;
        entry.name = std::string{name};
        for (auto word = take_word(rest); !word.empty(); word = take_word(rest)) {
            if (const auto added = add_address(entry, word); !added) {
                return added;
            }
        }
        if (entry.addresses.empty()) {
            return refuse("node '" + entry.name +
                          "' has no address: write 'name address[:port] [address2[:port] ...]'");
        }
        file_.entries.push_back(std::move(entry));
        return Done{};
    }

    Status add_address(NodeEntry& entry, std::string_view word) {
        const auto address = parse_address(word);
        if (!address) {
            return refuse(address.error().message);
        }
        const auto [earlier, is_new] = addresses_.emplace(*address, line_);
        if (!is_new) {
            return refuse("address " + to_string(*address) + " stands in line " +
                          std::to_string(earlier->second) + " already");
        }
        const std::size_t i = entry.addresses.size();
        if (i == kInterconnectsMax) {
            return refuse("more than " + std::to_string(kInterconnectsMax) +
                          " addresses for node '" + entry.name + "'");
        }
        // A socket bound to IPv4 cannot send to IPv6: such a pair would never hear each other.
        const auto [family, first] =
            families_.emplace(i, std::pair{address->family, line_}).first->second;
        if (family != address->family) {
            return refuse("address " + std::to_string(i + 1) + " (" + to_string(*address) +
                          ") is not of the same IP version as that in line " +
                          std::to_string(first) + ", so the two nodes could not reach each other");
        }
        entry.addresses.push_back(*address);
        return Done{};
    }

    const std::string path_;
    unsigned line_ = 0;
    NodesFile file_;
    std::map<std::string, unsigned, std::less<>> names_;
    std::map<Address, unsigned> addresses_;
    std::map<std::size_t, std::pair<AddressFamily, unsigned>> families_;
};

/// FNV-1a, 64 bits: tells honest differences apart, which is all that it is asked for.
class Fingerprint {
public:
    void add(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3U; }
    [[nodiscard]] std::uint64_t value() const { return hash_; }

private:
    std::uint64_t hash_ = 0xcbf29ce484222325U;
};

// 64 lines of names and addresses take a few KiB; far more cannot be a nodes file.
constexpr std::size_t kFileSizeMax = 256 * 1024;

/// Plain system calls: iostreams cannot say why a read failed.
Result<std::string> read_text(const std::string& path) {
    const auto failed = [&path](int error) {
        return Error{
            ErrorCode::kSystem,
            error,
            path + ": cannot read the nodes file: " + std::generic_category().message(error)};
    };
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return failed(errno);
    }
    std::string text;
    std::array<char, 4096> part{};
    ssize_t n = 0;
    do {
        n = ::read(fd, part.data(), part.size());
        text.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    } while ((n > 0 && text.size() <= kFileSizeMax) || (n < 0 && errno == EINTR));
    const int error = n < 0 ? errno : 0;
    ::close(fd);
    if (error != 0) {
        return failed(error);
    }
    if (text.size() > kFileSizeMax) {
        return Error{ErrorCode::kInvalid, 0, path + ": too long for a nodes file"};
    }
    return text;
}

}  // namespace

NodeSet NodesFile::configured() const {
    NodeSet set;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        set.assign(NodeNumber::from_index(i), !entries[i].deleted);
    }
    return set;
}

const NodeEntry& NodesFile::at(NodeNumber n) const {
    CSS_CHECK(n.index() < entries.size());
    return entries[n.index()];
}

NodeNumber NodesFile::find(std::string_view name) const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (!entries[i].deleted && entries[i].name == name) {
            return NodeNumber::from_index(i);
        }
    }
    return NodeNumber{};
}

std::uint64_t NodesFile::fingerprint() const {
    // Each part ends unmistakably (names hold no zero byte, addresses have a fixed size and are
    // counted), so two different files are never the same run of bytes.
    Fingerprint hash;
    for (const NodeEntry& entry : entries) {
        hash.add(entry.deleted ? 1 : 0);
        if (entry.deleted) {
            continue;
        }
        for (const char c : entry.name) {
            hash.add(static_cast<std::uint8_t>(c));
        }
        hash.add(0);
        hash.add(static_cast<std::uint8_t>(entry.addresses.size()));
        for (const Address& address : entry.addresses) {
            hash.add(static_cast<std::uint8_t>(address.family));
            for (const std::uint8_t byte : address.ip) {
                hash.add(byte);
            }
            hash.add(static_cast<std::uint8_t>(address.port));
            hash.add(static_cast<std::uint8_t>(address.port >> 8));
        }
    }
    return hash.value();
}

Result<NodesFile> parse_nodes_file(std::string_view text, std::string_view path) {
    Parser parser{path};
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (const auto read = parser.line(text.substr(0, end)); !read) {
            return read.error();
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parser.finish();
}

Result<NodesFile> load_nodes_file(const std::string& path) {
    const auto text = read_text(path);
    return text ? parse_nodes_file(*text, path) : text.error();
}

}  // namespace css::netbeat
