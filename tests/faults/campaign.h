#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/faults.h"
#include "tests/faults/timeline.h"

/// Faults at random against a cluster of real daemons, and what must hold whatever they do
/// (PROTOCOL 9). A seed determines which faults come, of what length, after what pauses; when
/// exactly they strike is the machine's.
namespace css::faults {

struct CampaignOptions {
    std::uint64_t seed = 1;
    unsigned nodes = 3;
    unsigned files = 3;
    std::string html;  ///< Where it is drawn at the end; empty: nowhere, unless it fails.
    std::string only;  ///< Kinds that begin so; empty: all.
    milliseconds time{std::chrono::minutes{4}};  ///< No episode begins later.
};

/// Descriptors, threads and memory of one life of a daemon, while all is well.
struct Usage {
    pid_t pid = 0;
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    std::size_t resident_kib = 0;
    bool settled = false;  ///< It has been through an episode: what it grows by from now on counts.
};

/// A small file system for each node's logs, which can be filled.
class LogDisks {
public:
    explicit LogDisks(const Lab& lab);
    ~LogDisks();
    LogDisks(const LogDisks&) = delete;
    LogDisks& operator=(const LogDisks&) = delete;
    LogDisks(LogDisks&&) = delete;
    LogDisks& operator=(LogDisks&&) = delete;
    /// They go with this process, what lies in them does not.
    void keep() const;

private:
    std::vector<std::string> directories_;
};

/// From one time when all nodes act to the next.
class Campaign {
public:
    explicit Campaign(const CampaignOptions& options);

    /// True: nothing was broken. Says on stdout what happens, a line an episode, and a summary.
    bool run();

private:
    struct Episode {
        e2e::Nanos begin = 0;
        std::vector<Fault> faults;
        std::string words;
    };

    void episode();
    [[nodiscard]] std::vector<Fault> draw();
    void strike(Episode& now);
    void put_right(const Episode& now);
    [[nodiscard]] bool all_act(e2e::Nanos since);
    void judge(const Episode& now);
    void judge_files();
    void judge_departures(const Episode& now);
    void judge_usage();
    void broken(const std::string& what);
    void print_summary(milliseconds took);
    void draw_timeline();

    CampaignOptions options_;
    Chance chance_;
    Lab lab_;
    LogDisks log_disks_;
    Timeline timeline_;
    FileSet files_;
    unsigned episodes_ = 0;
    std::map<std::string, unsigned> by_kind_;
    std::map<unsigned, Usage> usage_;  ///< By node: early in the daemon's life.
    std::size_t growth_kib_ = 0;       ///< The most of any life.
    unsigned departures_ = 0;
    std::vector<double> recoveries_;  ///< Milliseconds, sorted at the end.
    std::vector<std::string> broken_;
};

}  // namespace css::faults
