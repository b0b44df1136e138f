#include "cssd/runtime/last_gasps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"
#include "cssd/core/notice.h"
#include "cssd/runtime/event.h"
#include "cssd/runtime/render.h"
#include "kill_block/guardian/last_gasp.h"

namespace css::runtime {
namespace {

constexpr char kToldMark = '*';  ///< At the place before the end of line, once it was told.
constexpr auto kMarkAt = static_cast<off_t>(guardian::kLastGaspSize) - 2;

/// The value of `key=value` or `key="value"`; empty: there is none.
std::string value_of(const std::string& line, const std::string& key) {
    const auto found = (" " + line).find(" " + key + "=");
    if (found == std::string::npos) {
        return "";
    }
    const auto begin = found + key.size() + 1;
    if (begin < line.size() && line[begin] == '"') {
        return line.substr(begin + 1, line.find('"', begin + 1) - begin - 1);
    }
    return line.substr(begin, line.find_first_of(" \n", begin) - begin);
}

double number_of(const std::string& line, const std::string& key) {
    return std::strtod(value_of(line, key).c_str(), nullptr);
}

std::string whole(double milliseconds) {
    return std::to_string(std::llround(milliseconds));
}

When when_of(const std::string& line) {
    const auto wall = std::chrono::milliseconds{std::llround(number_of(line, "wall") * 1000)};
    return When{Instant{Duration{std::strtoll(value_of(line, "boottime_ns").c_str(), nullptr, 10)}},
                std::chrono::system_clock::time_point{wall}};
}

void mark_told(const std::string& path) {
    const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    static_cast<void>(fd.is_open() && ::pwrite(fd.get(), &kToldMark, 1, kMarkAt) == 1);
}

}  // namespace

std::string words_of_gasp(const std::string& line) {
    if (value_of(line, "text").empty()) {
        return "";
    }
    std::string words = value_of(line, "guardian") + ": " + value_of(line, "text");
    const auto reason = static_cast<core::StopReason>(number_of(line, "stop_reason"));
    if (const std::string why{css::runtime::words(reason)}; !why.empty()) {
        words += " (" + why + ")";
    }
    words += "; fence action " + value_of(line, "action") + ", begun " +
             whole(number_of(line, "begun_after_end_ms")) + " ms after the lease end, took " +
             whole(number_of(line, "took_ms")) + " ms of reboottime " +
             whole(number_of(line, "reboottime_ms")) + " ms; cssd was last heard " +
             whole(number_of(line, "silent_ms")) + " ms before";
    return words;
}

void LastGasps::tell(const std::string& node) {
    for (const char* const name : {"cssdagent", "cssdmonitor"}) {
        const std::string path = directory_ + "/" + name + ".lastgasp";
        std::ifstream file{path};
        std::string line(guardian::kLastGaspSize, '\0');
        file.read(line.data(), static_cast<std::streamsize>(line.size()));
        line.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
        const std::string words = words_of_gasp(line);
        const std::string stamp = name + value_of(line, "wall") + value_of(line, "boottime_ns");
        if (words.empty() || std::ranges::find(told_, stamp) != told_.end()) {
            continue;
        }
        told_.push_back(stamp);
        const When when = when_of(line);
        story_.add(Event{.when = when, .type = "fenced", .node = node, .reason = words});
        if (line.size() < guardian::kLastGaspSize || line[kMarkAt] == kToldMark) {
            continue;
        }
        log_.alert("CRS-8011: reboot advisory message from host: " + node + ", component: " + name +
                   ", with timestamp: " + log_time(when.wall));
        log_.alert("CRS-8013: reboot advisory message text: " + words);
        mark_told(path);
    }
}

}  // namespace css::runtime
