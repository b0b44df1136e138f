#pragma once

#include <functional>
#include <future>

#include <gtest/gtest.h>

#include "cssd/runtime/control.h"

namespace css::runtime {

/// Waits for what `begin` is answered with.
inline nlohmann::json answer_of(const std::function<void(ControlBackend::Answered)>& begin) {
    std::promise<nlohmann::json> answer;
    begin([&answer](nlohmann::json given) { answer.set_value(std::move(given)); });
    return answer.get_future().get();
}

/// The same where a refusal is expected.
inline std::string refusal_of(const std::function<void(ControlBackend::Answered)>& begin) {
    const nlohmann::json answer = answer_of(begin);
    EXPECT_FALSE(answer.value("ok", true)) << answer;
    return answer.value("error", "");
}

}  // namespace css::runtime
