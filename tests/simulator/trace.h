#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "cssd/core/notice.h"
#include "tests/simulator/event_queue.h"

namespace css::sim {

enum class TraceMode : std::uint8_t { kOff, kPrint, kKeep };

struct TraceLine {
    SimTime at = 0;
    int machine = -1;  ///< Index; -1: the world.
    std::string what;
    std::string details;
};

/// The story of a run, a line per transition, and its hash. The hash is always taken, of what
/// happens and not of the text, so that a run with and without a printed trace has the same one.
class Trace {
public:
    static constexpr std::size_t kKeptLines = 120;

    void set_mode(TraceMode mode) { mode_ = mode; }
    /// Every line goes there, besides.
    void collect_into(std::vector<TraceLine>* lines) { collected_ = lines; }
    [[nodiscard]] bool on() const { return mode_ != TraceMode::kOff || collected_ != nullptr; }

    /// FNV-1a over 64-bit words.
    void mix(std::uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001b3U; }
    [[nodiscard]] std::uint64_t hash() const { return hash_ ^ (hash_ >> 29U); }

    /// Columns: time in seconds, machine ('-' for the world), what, details.
    void line(SimTime now, int machine, const char* what, const char* format, ...)
        __attribute__((format(printf, 5, 6)));
    /// The last lines, for the report of a violation.
    [[nodiscard]] const std::deque<std::string>& kept() const { return kept_; }

private:
    TraceMode mode_ = TraceMode::kOff;
    std::uint64_t hash_ = 0xcbf29ce484222325U;
    std::deque<std::string> kept_;
    std::vector<TraceLine>* collected_ = nullptr;
};

/// `{1 2 5}`.
std::string to_text(NodeSet nodes);
std::string to_text(FileSet files);
std::string to_text(const core::Notice& notice);
std::string to_text(const Record& record);
const char* name_of(core::NoticeKind kind);
const char* name_of(core::ConfirmRule rule);
const char* name_of(core::StopReason reason);
const char* name_of(core::StartRefusal refusal);
const char* name_of(RecordCause cause);
const char* name_of(NodeState state);

}  // namespace css::sim
