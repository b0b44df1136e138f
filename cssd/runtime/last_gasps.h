#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cssd/runtime/log.h"
#include "cssd/runtime/story.h"

namespace css::runtime {

/// What the guardians wrote down when they fenced (kill_block/guardian/last_gasp.h): read after the
/// next start, it becomes part of the history, and of the alert log once.
class LastGasps {
public:
    /// `directory` holds cssdagent.lastgasp and cssdmonitor.lastgasp.
    LastGasps(std::string directory, Story& story, Log& log)
        : directory_(std::move(directory)), story_(story), log_(log) {}

    /// Tells what is new since the last call. `node`: of this host.
    void tell(const std::string& node);

private:
    std::string directory_;
    Story& story_;
    Log& log_;
    std::vector<std::string> told_;
};

/// One line of such a file, for people: reason, limits, how long ago. Empty: there is none in it.
std::string words_of_gasp(const std::string& line);

}  // namespace css::runtime
