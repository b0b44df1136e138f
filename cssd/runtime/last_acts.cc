#include "cssd/runtime/last_acts.h"

#include <string>
#include <utility>

#include "cssd/runtime/render.h"

namespace css::runtime {

LastActs::LastActs(guardian::GuardianLink& guardians,
                   std::function<void()> ask_clients_to_end,
                   Log& log)
    : guardians_(guardians), ask_clients_to_end_(std::move(ask_clients_to_end)), log_(log) {}

LastActs::~LastActs() {
    mailbox_.close();
    thread_.join();
}

Status LastActs::start() {
    return thread_.start("killblock", [this] { run(); });
}

void LastActs::drain(Instance self) {
    CSS_CHECK(mailbox_.put(Drain{self}));
}

void LastActs::fence_self(const core::FenceSelf& order, Instance self) {
    CSS_CHECK(mailbox_.put(Fence{order, self}));
}

void LastActs::run() {
    while (const std::optional<Act> act = mailbox_.take()) {
        std::visit([this](const auto& a) { carry_out(a); }, *act);
    }
}

void LastActs::carry_out(const Drain& act) {
    log_.trace(
        config::LogLevel::kInfo,
        "clssnmDrain",
        "LHB clean leave: asking " + std::to_string(guardians_.clients_left()) + " clients to end");
    ask_clients_to_end_();
    guardians_.drain(act.self, kDrainPatience);
}

void LastActs::carry_out(const Fence& act) {
    guardians_.fence(act.order, act.self);
    log_.trace(config::LogLevel::kError,
               "clssnmFenceSelf",
               "LHB fencing this node: " + std::string{words(act.order.reason)});
}

}  // namespace css::runtime
