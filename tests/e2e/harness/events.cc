#include "tests/e2e/harness/events.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/runtime/event.h"

namespace css::e2e {
namespace {

constexpr std::string_view kNodePrefix = "node";

Told as_told(const runtime::Event& event) {
    Told told{.time = event.when.boot.time_since_epoch().count(),
              .type = event.type,
              .node = node_number(event.node),
              .file = event.file,
              .incarnation = event.incarnation,
              .members = {},
              .reason = event.reason};
    for (const std::string& name : event.members) {
        told.members.insert(node_number(name));
    }
    return told;
}

}  // namespace

std::string node_name(unsigned node) {
    return std::string{kNodePrefix} + std::to_string(node);
}

std::string to_text(const Members& members) {
    std::string text;
    for (const unsigned member : members) {
        text += (text.empty() ? "" : " ") + std::to_string(member);
    }
    return "{" + text + "}";
}

unsigned node_number(const std::string& name) {
    unsigned number = 0;
    if (name.starts_with(kNodePrefix)) {
        (void)std::from_chars(name.data() + kNodePrefix.size(), name.data() + name.size(), number);
    }
    return number;
}

Matches told(std::string type, unsigned node) {
    return [type = std::move(type), node](const Told& event) {
        return event.type == type && (node == 0 || event.node == node);
    };
}

Matches complete(Members members) {
    return [members = std::move(members)](const Told& event) {
        return event.type == "complete" && event.members == members;
    };
}

void EventLog::follow(const std::string& crsctl, const std::string& run_dir) {
    pump();
    std::array<int, 2> ends{};
    CSS_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    stream_.reset(ends[0]);
    CSS_CHECK(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    const UniqueFd write_end{ends[1]};
    partial_.clear();
    watcher_ = Child{{crsctl, "--run-dir", run_dir, "watch", "css", "events", "--json"},
                     {.stdout_fd = write_end.get()}};
    // The watch may have begun later than some events; the history has those.
    const Finished history =
        run({crsctl, "--run-dir", run_dir, "query", "css", "history", "--json"});
    const auto document = nlohmann::json::parse(history.out, nullptr, false);
    if (!document.is_object() || !document.contains("events")) {
        return;
    }
    for (const auto& entry : document["events"]) {
        if (const auto event = runtime::event_from_json(entry)) {
            add(as_told(*event));
        }
    }
}

void EventLog::pump() {
    if (stream_.get() < 0) {
        return;
    }
    std::array<char, 16384> part{};
    for (;;) {
        const ssize_t got = ::read(stream_.get(), part.data(), part.size());
        if (got == 0) {
            stream_.reset();
            return;
        }
        if (got < 0) {
            return;
        }
        partial_.append(part.data(), static_cast<std::size_t>(got));
        for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
            add_line(partial_.substr(0, end));
            partial_.erase(0, end + 1);
        }
    }
}

void EventLog::add_line(const std::string& line) {
    const auto document = nlohmann::json::parse(line, nullptr, false);
    if (const auto event = runtime::event_from_json(document)) {
        add(as_told(*event));
    }
}

void EventLog::add(const Told& event) {
    if (std::ranges::find(told_, event) == told_.end()) {
        told_.push_back(event);
    }
}

std::optional<Told> EventLog::find(const Matches& matches, Nanos since) const {
    std::optional<Told> first;
    for (const Told& event : told_) {
        if (event.time >= since && matches(event) && (!first || event.time < first->time)) {
            first = event;
        }
    }
    return first;
}

}  // namespace css::e2e
