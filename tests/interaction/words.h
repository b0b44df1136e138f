#pragma once

#include <string>

#include "cssd/core/arbiter.h"

namespace css::interaction {

/// Short, stable words for scripts and traces of tests.
std::string words_of(NodeSet set);
std::string words_of(FileSet set);
std::string words_of(const core::Notice& notice);
std::string words_of(const core::StatusView& status);

}  // namespace css::interaction
