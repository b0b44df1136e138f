#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/faults/faults.h"

/// A campaign, drawn.
namespace css::faults {

/// What is taken down while it runs: faults, what the nodes told, when their clients acted. Times
/// are boottime.
class Timeline {
public:
    Timeline(e2e::Nanos begin, unsigned nodes) : begin_(begin), nodes_(nodes) {}

    void add_fault(e2e::Nanos at, const Fault& fault);
    void add_verdict(e2e::Nanos at, const std::string& words);
    void add_broken(e2e::Nanos at, const std::string& words);
    /// All that was told and written since the lab last forgot it.
    void collect(Lab& lab);

    /// What it was, how to do it again, and how it ended.
    struct Run {
        std::string title;
        std::string again;
        e2e::LabOptions options;
        std::vector<std::string> broken;
        e2e::Nanos end = 0;
    };
    [[nodiscard]] std::string page(const Run& run) const;

private:
    struct Line {
        e2e::Nanos at = 0;
        unsigned node = 0;  ///< 0: of nobody.
        std::string what;
        std::string details;
    };
    /// In which the clients of a node acted with this token.
    struct Span {
        e2e::Nanos from = 0;
        e2e::Nanos to = 0;
        std::uint64_t token = 0;
    };

    void collect_told(const std::vector<e2e::Told>& told, unsigned node);
    [[nodiscard]] double seconds(e2e::Nanos at) const {
        return static_cast<double>(at - begin_) / 1e9;
    }

    e2e::Nanos begin_;
    unsigned nodes_;
    std::vector<Line> lines_;
    std::map<unsigned, std::vector<Span>> acts_;
    std::uint64_t decided_ = 0;  ///< Newest that anybody told of.
    std::uint64_t complete_ = 0;
};

}  // namespace css::faults
