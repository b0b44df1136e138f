#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace css::tidy {
namespace {

constexpr std::size_t kLineMax = 100;
constexpr std::size_t kFileLinesMax = 600;

struct Rule {
    std::string_view word;  ///< Forbidden where it stands as a word of its own.
    std::string_view reason;
    bool (*applies)(std::string_view path);
};

bool in(std::string_view path, std::string_view folder) {
    return path.starts_with(folder);
}

/// Decides, and must give the same answer to the same inputs: no clock, thread, device, chance.
bool is_pure(std::string_view path) {
    constexpr std::array kPure{"cssd/base/",
                               "cssd/core/",
                               "cssd/group/",
                               "voting/format/",
                               "voting/quorum/",
                               "voting/monitor/",
                               "netbeat/wire/",
                               "netbeat/monitor/",
                               "kill_block/confirm."};
    // Where threads and locks are made, for the shells; and the keys that their threads share.
    constexpr std::array kShells{
        "cssd/base/shell_thread.h", "cssd/base/priority_mutex.h", "netbeat/wire/key_ring."};
    const auto begins = [path](std::string_view folder) { return in(path, folder); };
    return std::ranges::any_of(kPure, begins) && std::ranges::none_of(kShells, begins);
}

bool is_shipped(std::string_view path) {
    return !in(path, "tests/");
}

/// What a signal handler sets in a C program.
bool may_not_be_volatile(std::string_view path) {
    return is_shipped(path) && !in(path, "tools/examples/");
}

bool everywhere(std::string_view) {
    return true;
}

/// System calls and libraries whose interfaces need it; everything else has typed bytes.
bool may_not_reinterpret(std::string_view path) {
    constexpr std::array kMay{"cssd/runtime/control_socket.cc",  // sockaddr
                              "cssd/client/",                    // sockaddr, C interface
                              "netbeat/wire/seal.cc",            // libsodium's unsigned char
                              "netbeat/wire/key_file.cc",        // file bytes
                              "netbeat/io/",                     // sockaddr
                              "voting/io/",                      // kernel structures
                              "kill_block/guardian/",            // sockaddr, control messages
                              "kill_block/link/",                // the same, the other end
                              "tests/"};
    return std::ranges::none_of(kMay, [path](std::string_view folder) { return in(path, folder); });
}

/// Waits with a reason, each with its comment at the place.
bool may_not_sleep(std::string_view path) {
    constexpr std::array kMay{"voting/io/ring.cc",                 // the kernel is out of memory
                              "voting/io/session.h",               // a member of that name
                              "voting/io/disk_thread.cc",          // the same
                              "kill_block/link/guardian_link.cc",  // the last milliseconds
                              "voting/offline/in_use.cc"};         // watching is the point
    return is_shipped(path) &&
           std::ranges::none_of(kMay, [path](std::string_view file) { return path == file; });
}

/// Everywhere but where a thread of its own formats a new file, and may hang.
bool may_not_hang(std::string_view path) {
    return (in(path, "voting/") || in(path, "cssd/core/")) && !in(path, "voting/offline/");
}

// The words are written in halves, so that this file obeys its own rules.
const std::vector<Rule>& rules() {
    static const std::vector<Rule> kRules{
        {"steady_clock", "pure code takes the time as an argument", is_pure},
        {"system_clock", "pure code takes the time as an argument", is_pure},
        {"clock_gettime", "pure code takes the time as an argument", is_pure},
        {"spdlog", "pure code emits notices and formats nothing", is_pure},
        {"liburing", "pure code does no I/O", is_pure},
        {"iostream", "pure code does no I/O", is_pure},
        {"unordered_map", "iteration order is behaviour", is_pure},
        {"unordered_set", "iteration order is behaviour", is_pure},
        {"random_device", "pure code gets its chance from outside", is_pure},
        {"rand", "pure code gets its chance from outside", is_pure},
        {"mutex", "pure code is called by one thread", is_pure},
        {"std::thread", "pure code has no threads", is_pure},
        {"std::atomic", "pure code has no threads", is_pure},
        {"getenv", "pure code depends on its inputs alone", is_pure},
        {"sleep_for", "wait for what is awaited", may_not_sleep},
        {"usleep", "wait for what is awaited", may_not_sleep},
        {"sleep", "wait for what is awaited", may_not_sleep},
        {"volatile", "says nothing about threads", may_not_be_volatile},
        {"reinterpret_cast", "only at system calls and codecs", may_not_reinterpret},
        {"assert", "CSS_CHECK stays on in release", everywhere},
        {"FIX"
         "ME",
         "leftover",
         everywhere},
        {"HA"
         "CK",
         "leftover",
         everywhere},
        {"X"
         "XX",
         "leftover",
         everywhere},
        {"TO"
         "DO",
         "leftover; an issue is a better place",
         everywhere},
        {"fsy"
         "nc",
         "a hung one cannot be killed (TOOLCHAIN 1); write with O_DSYNC",
         may_not_hang},
    };
    return kRules;
}

bool is_word_part(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool has_word(std::string_view line, std::string_view word) {
    for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
        const bool begins = at == 0 || !is_word_part(line[at - 1]);
        const auto after = at + word.size();
        if (begins && (after == line.size() || !is_word_part(line[after]))) {
            return true;
        }
    }
    return false;
}

/// Text without string literals and line comments; a block comment is a matter of whole lines here.
std::string code_of(std::string_view line) {
    std::string code;
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (!quoted && line.substr(i, 2) == "//") {
            break;
        }
        if (line[i] == '\\' && quoted) {
            ++i;
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            code += line[i];
        }
    }
    return code;
}

/// Characters, not bytes.
std::size_t width(std::string_view line) {
    return static_cast<std::size_t>(std::ranges::count_if(
        line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

class Checker {
public:
    explicit Checker(const std::string& path) : path_(path), header_(path.ends_with(".h")) {}

    void line(std::string_view text) {
        ++number_;
        const std::string code = code_of(text);
        first_include_ = first_include_.empty() && code.starts_with("#include") ? std::string{text}
                                                                                : first_include_;
        // The one header that C programs include has a guard that every compiler knows.
        once_ = once_ || text == "#pragma once" || text == "#ifndef CSS_H";
        if (width(text) > kLineMax) {
            found("longer than 100 columns");
        }
        if (text.ends_with(' ') || text.find('\t') != std::string_view::npos) {
            found("a tab, or blanks at the end");
        }
        if (text.find("NOLINT") != std::string_view::npos &&
            text.find("NOLINT(") == std::string_view::npos &&
            text.find("NOLINTNEXTLINE(") == std::string_view::npos &&
            text.find("NOLINTBEGIN(") == std::string_view::npos &&
            text.find("NOLINTEND(") == std::string_view::npos && !in(path_, "tests/tidy/")) {
            found("NOLINT without the name of the check");
        }
        if (header_ && code.starts_with("using namespace")) {
            found("using namespace in a header");
        }
        for (const Rule& rule : rules()) {
            if (rule.applies(path_) && breaks(rule, text, code)) {
                found("'" + std::string{rule.word} + "': " + std::string{rule.reason});
            }
        }
    }

    std::vector<Finding> end(std::string_view text, bool has_header) {
        if (!text.empty() && !text.ends_with('\n')) {
            found("no end of line at the end");
        }
        if (header_ && !once_) {
            found("a header without #pragma once");
        }
        if (number_ > kFileLinesMax) {
            found("longer than 600 lines: more than one idea");
        }
        if (has_header && first_include_.find(own_header()) == std::string::npos) {
            found("does not include its own header first");
        }
        return std::move(findings_);
    }

private:
    static bool breaks(const Rule& rule, std::string_view text, const std::string& code) {
        // Leftovers are found in comments too.
        const bool leftover = rule.reason.starts_with("leftover");
        const std::string_view where = leftover ? text : std::string_view{code};
        if (rule.word == "assert" || rule.word == "sleep" || rule.word == "rand") {
            return has_word(where, rule.word) &&
                   where.find(std::string{rule.word} + "(") != std::string_view::npos;
        }
        return has_word(where, rule.word);
    }

    std::string own_header() const { return path_.substr(0, path_.size() - 3) + ".h"; }

    void found(std::string what) { findings_.push_back({path_, number_, std::move(what)}); }

    std::string path_;
    bool header_;
    bool once_ = false;
    unsigned number_ = 0;
    std::string first_include_;
    std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check(const std::string& path, std::string_view text) {
    Checker checker{path};
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        checker.line(rest.substr(0, end));
        rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
    const std::string own_header = path.substr(0, path.find_last_of('.')) + ".h\"";
    const bool has_header =
        path.ends_with(".cc") && text.find("#include \"" + own_header) != std::string_view::npos;
    return checker.end(text, has_header);
}

}  // namespace css::tidy
