#pragma once

#include <string>

#include "cssd/base/result.h"

namespace css::voting {

/// 'No such file or directory (errno 2)'. Any thread.
[[nodiscard]] std::string errno_text(int number);

/// An ErrorCode::kSystem whose message is '<what>: <text of the errno>'.
[[nodiscard]] Error system_error(const std::string& what, int number);

}  // namespace css::voting
