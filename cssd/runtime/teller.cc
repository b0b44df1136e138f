#include "cssd/runtime/teller.h"

#include <utility>

#include "cssd/runtime/clock.h"

namespace css::runtime {
namespace {

When now() {
    return When{boot_now(), std::chrono::system_clock::now()};
}

}  // namespace

Teller::Teller(Tells tells) : tells_(std::move(tells)) {}

Teller::~Teller() {
    mailbox_.close();
    thread_.join();
}

Status Teller::start() {
    return thread_.start("reconfig", [this] { run(); });
}

void Teller::post(const core::Notice& notice) {
    // Refused: a line of the story is missing, and Mailbox has counted it.
    static_cast<void>(mailbox_.put(Item{now(), notice}));
}

void Teller::post(const Record& complete) {
    static_cast<void>(mailbox_.put(Item{now(), complete}));
}

void Teller::post(const core::Exit& exit) {
    CSS_CHECK(mailbox_.put(Item{now(), exit}));  // Without it the process would outlive its end.
}

void Teller::run() {
    while (const std::optional<Item> item = mailbox_.take()) {
        std::visit([this, &item](const auto& what) { tell(item->when, what); }, item->what);
    }
}

void Teller::tell(const When& /*when*/, const core::Exit& exit) {
    tells_.on_end(exit);
}

void Teller::tell(const When& /*when*/, const Record& complete) {
    const Names names = tells_.names();
    tells_.clients.show_membership(complete.incarnation.value(),
                                   census_.complete(complete, names.self, names));
}

void Teller::tell(const When& when, const core::Notice& notice) {
    const Names names = tells_.names();
    for (const std::string& line : alert_lines(notice, names)) {
        tells_.log.alert(line);
    }
    const TraceLine line = trace_line(notice, names);
    if (tells_.log.traces(line.level)) {
        tells_.log.trace(line.level, line.function, line.text);
    }
    if (const std::optional<Event> event = event_of(notice, names, when)) {
        tells_.story.add(*event);
        tells_.control.publish(*event);
    }
    census_.take(notice);
    if (notice.kind == core::NoticeKind::kActive) {
        tells_.clients.show_active();
    }
    if (notice.kind == core::NoticeKind::kRequestDone) {
        tells_.requests.finish(notice.request, notice.request_result);
    }
}

}  // namespace css::runtime
