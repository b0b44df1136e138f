// A line to the control socket, from an administrator and from anybody.

#include <nlohmann/json.hpp>

#include "cssd/base/check.h"
#include "cssd/runtime/control_requests.h"
#include "tests/control/memory_backend.h"
#include "tests/fuzz/fuzz.h"

namespace css::fuzz {
namespace {

using runtime::Privilege;

/// As the control server answers it.
nlohmann::json answer_of(runtime::ControlBackend& backend,
                         const nlohmann::json& request,
                         Privilege privilege) {
    runtime::Answer answer = runtime::handle_request(backend, request, privilege);
    nlohmann::json result;
    if (auto* const now = std::get_if<runtime::AnswerNow>(&answer)) {
        result = std::move(now->answer);
    } else if (auto* const watch = std::get_if<runtime::AnswerWatch>(&answer)) {
        result = std::move(watch->answer);
    } else if (auto* const done = std::get_if<runtime::AnswerWhenDone>(&answer)) {
        CSS_CHECK(privilege == Privilege::kAdministrator);
        done->start([&result](nlohmann::json document) { result = std::move(document); });
    } else {
        CSS_CHECK(privilege == Privilege::kAdministrator);
        auto& later = std::get<runtime::AnswerLater>(answer);
        backend.submit(later.request,
                       [&](core::RequestResult ended) { result = later.finish(ended); });
    }
    return result;
}

}  // namespace

void run(Input input) {
    const auto request = nlohmann::json::parse(text_of(input), nullptr, false);
    if (!request.is_object()) {
        return;
    }
    for (const Privilege privilege : {Privilege::kNone, Privilege::kAdministrator}) {
        runtime::MemoryBackend backend;
        const nlohmann::json answer = answer_of(backend, request, privilege);
        CSS_CHECK(answer.contains("ok"));
        CSS_CHECK(privilege == Privilege::kAdministrator ||
                  (backend.submitted() == 0 && backend.saved().empty() &&
                   backend.file_changes().empty()));
        static_cast<void>(answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
}

}  // namespace css::fuzz
