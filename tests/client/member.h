#pragma once

#include <string>
#include <vector>

#include "cssd/base/unique_fd.h"
#include "tests/guardian/harness.h"

namespace css::testing {

/// The program css_test_member at the other end of two pipes.
class Member {
public:
    /// Waits until it is registered.
    Member(const std::string& run_dir,
           const std::string& group,
           const std::vector<std::string>& options = {});

    void tell(const std::string& line) const;
    /// The next line that begins with `prefix`; others are kept. "" when none came in time.
    std::string hear(const std::string& prefix, Duration patience = kPatience);
    /// Tells it, and hears the rest of the answer, behind the first word.
    std::string ask(const std::string& line, const std::string& answer = "done ");
    /// Joins; its number.
    std::uint64_t join(const std::string& data = "");
    /// The process, which may be killed.
    [[nodiscard]] Process& process() { return process_; }

private:
    struct Started;
    explicit Member(Started&& started);
    static Started start(const std::vector<std::string>& words);
    Process process_;
    UniqueFd input_;
    UniqueFd output_;
    std::string buffer_;
};

}  // namespace css::testing
