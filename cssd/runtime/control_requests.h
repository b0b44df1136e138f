#pragma once

#include <functional>
#include <variant>

#include <nlohmann/json.hpp>

#include "cssd/runtime/control.h"

/// What each request on the control socket means. Knows no sockets; runs on the control thread.
namespace css::runtime {

enum class Privilege { kNone, kAdministrator };

/// The answer is ready.
struct AnswerNow {
    nlohmann::json answer;
};
/// The client gets every event from now on.
struct AnswerWatch {
    nlohmann::json answer;
};
/// The core must do something first; `finish` turns its result into the answer.
struct AnswerLater {
    ControlBackend::Request request;
    std::function<nlohmann::json(core::RequestResult)> finish;
};
/// Something that is no request of the core alone; it calls `done` once with the answer, from any
/// thread.
struct AnswerWhenDone {
    std::function<void(ControlBackend::Answered done)> start;
};
using Answer = std::variant<AnswerNow, AnswerWatch, AnswerLater, AnswerWhenDone>;

Answer handle_request(ControlBackend& backend, const nlohmann::json& request, Privilege privilege);

/// The answer to a request that ended so in the core.
nlohmann::json outcome(core::RequestResult result);
/// `{"ok":false,"error":TEXT}`.
nlohmann::json refusal(const std::string& text);

}  // namespace css::runtime
