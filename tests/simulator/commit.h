#pragma once

namespace css::sim {

/// Of the sources that css_sim was built from, `+changes` when they were not all committed.
extern const char* const kCommit;

}  // namespace css::sim
