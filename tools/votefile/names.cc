#include "tools/votefile/names.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace css::votefile {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

template <class Set>
std::string numbers(Set set, auto number) {
    std::string text;
    for (const auto element : set) {
        text += (text.empty() ? "" : " ") + std::to_string(number(element));
    }
    return text.empty() ? "none" : text;
}

/// `2026-11-21 09:45:24.016`, with `between` instead of the blank.
std::string formatted(const std::tm& parts, char between, std::int64_t ns) {
    std::array<char, 32> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    std::string line{text.data(), size};
    std::replace(line.begin(), line.end(), ' ', between);
    std::array<char, 8> millis{};
    (void)std::snprintf(millis.data(), millis.size(), ".%03d", static_cast<int>(ns / 1'000'000));
    return line + millis.data();
}

/// Seconds and nanoseconds, the latter never negative.
std::pair<std::time_t, std::int64_t> split(std::int64_t ns) {
    std::int64_t seconds = ns / kNsPerSecond;
    if (ns % kNsPerSecond < 0) {
        --seconds;
    }
    return {seconds, ns - seconds * kNsPerSecond};
}

}  // namespace

const char* name_of(NodeState state) {
    switch (state) {
        case NodeState::kJoining: return "JOINING";
        case NodeState::kActive: return "ACTIVE";
        case NodeState::kLeft: return "LEFT";
        case NodeState::kFenced: return "FENCED";
        case NodeState::kResetting: return "RESETTING";
    }
    return "?";
}

const char* name_of(RecordCause cause) {
    switch (cause) {
        case RecordCause::kNone: return "none";
        case RecordCause::kFormation: return "formation";
        case RecordCause::kJoin: return "join";
        case RecordCause::kLinkLost: return "link lost";
        case RecordCause::kLeave: return "leave";
        case RecordCause::kStopped: return "stopped";
        case RecordCause::kRestarted: return "restarted";
        case RecordCause::kEvicted: return "evicted by hand";
        case RecordCause::kParameters: return "parameters";
        case RecordCause::kVotingFiles: return "voting files";
    }
    return "?";
}

const char* name_of(KillReason reason) {
    switch (reason) {
        case KillReason::kNone: return "none";
        case KillReason::kLinkLost: return "link lost";
        case KillReason::kEvictedByHand: return "evicted by hand";
        case KillReason::kLeft: return "left";
        case KillReason::kStopped: return "stopped";
        case KillReason::kReplaced: return "replaced";
        case KillReason::kFormation: return "formation";
    }
    return "?";
}

std::string text_of(NodeSet nodes) {
    return numbers(nodes, [](NodeNumber n) { return n.value(); });
}

std::string text_of(FileSet files) {
    return numbers(files, [](FileIndex f) { return f.index(); });
}

std::string hex_of(std::uint64_t value) {
    std::array<char, 17> text{};
    (void)std::snprintf(
        text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
    return text.data();
}

std::string local_time(std::int64_t ns) {
    const auto [seconds, rest] = split(ns);
    std::tm parts{};
    return ::localtime_r(&seconds, &parts) == nullptr ? "?" : formatted(parts, ' ', rest);
}

std::string utc_time(std::int64_t ns) {
    const auto [seconds, rest] = split(ns);
    std::tm parts{};
    return ::gmtime_r(&seconds, &parts) == nullptr ? "?" : formatted(parts, 'T', rest) + "Z";
}

std::int64_t start_ns(Unique unique) {
    return std::int64_t{unique.value()} * kNsPerSecond;
}

}  // namespace css::votefile
