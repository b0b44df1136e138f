#include "tests/simulator/trace.h"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace css::sim {
namespace {

template <class Set, class Number>
std::string listed(Set set, Number number) {
    std::string text = "{";
    for (const auto one : set) {
        text += (text.size() > 1 ? " " : "") + std::to_string(number(one));
    }
    return text + "}";
}

}  // namespace

void Trace::line(SimTime now, int machine, const char* what, const char* format, ...) {
    if (!on()) {
        return;
    }
    std::array<char, 600> details{};
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(details.data(), details.size(), format, arguments);
    va_end(arguments);
    if (collected_ != nullptr) {
        collected_->push_back(
            {.at = now, .machine = machine, .what = what, .details = details.data()});
    }
    if (mode_ == TraceMode::kOff) {
        return;
    }
    std::array<char, 700> whole{};
    const std::string who = machine < 0 ? "-" : std::to_string(machine + 1);
    std::snprintf(whole.data(),
                  whole.size(),
                  "%13.6f  %3s  %-15s %s",
                  static_cast<double>(now) / 1e9,
                  who.c_str(),
                  what,
                  details.data());
    if (mode_ == TraceMode::kPrint) {
        std::puts(whole.data());
        return;
    }
    kept_.emplace_back(whole.data());
    if (kept_.size() > kKeptLines) {
        kept_.pop_front();
    }
}

std::string to_text(NodeSet nodes) {
    return listed(nodes, [](NodeNumber n) { return n.value(); });
}

std::string to_text(FileSet files) {
    return listed(files, [](FileIndex f) { return f.index() + 1; });
}

std::string to_text(const Record& record) {
    std::string text = "R" + std::to_string(record.incarnation.value()) + " {";
    for (const NodeNumber n : record.members) {
        text += (text.back() == '{' ? "" : " ") + std::to_string(n.value()) + ":" +
                std::to_string(record.unique[n].value());
    }
    return text + "} " + name_of(record.cause);
}

std::string to_text(const core::Notice& notice) {
    std::string text;
    const auto add = [&text](const char* name, const std::string& value) {
        text += (text.empty() ? "" : " ") + std::string{name} + "=" + value;
    };
    if (notice.node.is_some()) {
        add("node", std::to_string(notice.node.value()));
    }
    if (notice.unique != Unique{}) {
        add("unique", std::to_string(notice.unique.value()));
    }
    if (notice.incarnation != Incarnation{}) {
        add("R", std::to_string(notice.incarnation.value()));
    }
    if (!notice.members.empty()) {
        add("members", to_text(notice.members));
    }
    if (notice.by.is_some()) {
        add("by", std::to_string(notice.by.value()));
    }
    if (notice.percent != 0) {
        add("percent", std::to_string(notice.percent));
    }
    if (notice.silent_for != Duration{}) {
        add("silent", std::to_string(notice.silent_for.count() / 1'000'000) + "ms");
    }
    if (notice.required != 0) {
        add("files", std::to_string(notice.available) + "/" + std::to_string(notice.required));
    }
    if (notice.cause != RecordCause::kNone) {
        add("cause", name_of(notice.cause));
    }
    if (notice.confirmed_by != core::ConfirmRule::kNone) {
        add("rule", name_of(notice.confirmed_by));
    }
    if (notice.stop != core::StopReason::kNone) {
        add("stop", name_of(notice.stop));
    }
    if (notice.start != core::StartRefusal::kNone) {
        add("refused", name_of(notice.start));
    }
    if (notice.kind == core::NoticeKind::kVotingFiles) {
        add("files", to_text(notice.files));
        add("next", to_text(notice.files_next));
    }
    if (notice.kind == core::NoticeKind::kRequestDone) {
        add("request", std::to_string(notice.request));
        add("result", std::to_string(static_cast<int>(notice.request_result)));
    }
    return text;
}

const char* name_of(core::NoticeKind kind) {
    constexpr std::array<const char*, core::kNoticeKindMax + 1> kNames{
        "start-refused", "instance-started", "suspect",      "in-doubt",     "link-lost",
        "link-restored", "file-warning",     "file-offline", "file-online",  "quorum-lost",
        "ballot",        "decided",          "joined",       "left",         "evict",
        "confirmed",     "complete",         "parameter",    "voting-files", "active",
        "lease-lost",    "fenced",           "request-done"};
    return kNames[static_cast<std::size_t>(kind)];
}

const char* name_of(core::ConfirmRule rule) {
    constexpr std::array<const char*, 9> kNames{
        "none", "kill-block", "E1", "E2", "E3-short", "E3-long", "E4", "E5", "E6"};
    return kNames[static_cast<std::size_t>(rule)];
}

const char* name_of(core::StopReason reason) {
    constexpr std::array<const char*, 7> kNames{
        "none", "lease-lapsed", "evicted", "killed", "replaced", "slot-taken", "guardian-lost"};
    return kNames[static_cast<std::size_t>(reason)];
}

const char* name_of(core::StartRefusal refusal) {
    constexpr std::array<const char*, 7> kNames{"none",
                                                "no-majority",
                                                "own-unreadable",
                                                "slot-moves",
                                                "number-heard",
                                                "foreign-host",
                                                "former-life"};
    return kNames[static_cast<std::size_t>(refusal)];
}

const char* name_of(RecordCause cause) {
    constexpr std::array<const char*, kRecordCauseMax + 1> kNames{"none",
                                                                  "formation",
                                                                  "join",
                                                                  "link-lost",
                                                                  "leave",
                                                                  "stopped",
                                                                  "restarted",
                                                                  "evicted",
                                                                  "parameters",
                                                                  "voting-files"};
    return kNames[static_cast<std::size_t>(cause)];
}

const char* name_of(NodeState state) {
    constexpr std::array<const char*, 6> kNames{
        "none", "joining", "active", "left", "fenced", "resetting"};
    return kNames[static_cast<std::size_t>(state)];
}

}  // namespace css::sim
