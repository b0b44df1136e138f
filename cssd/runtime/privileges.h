#pragma once

#include <string>
#include <vector>

namespace css::runtime {

/// Locks all memory of the process, present and future, and asks the OOM killer to spare it. The
/// answer: what was refused, in words for the alert log; the daemon goes on without.
std::vector<std::string> lock_memory();

/// As many open files as the system allows: each client takes up to three.
void raise_descriptor_limit();

/// While it exists the calling thread, and so every thread that it starts, has the real-time
/// priority (SCHED_RR). Threads started outside stay ordinary: logs, queries, clients.
class RealtimeScope {
public:
    explicit RealtimeScope(unsigned priority);  ///< 0: none is wanted.
    ~RealtimeScope();
    RealtimeScope(const RealtimeScope&) = delete;
    RealtimeScope& operator=(const RealtimeScope&) = delete;
    RealtimeScope(RealtimeScope&&) = delete;
    RealtimeScope& operator=(RealtimeScope&&) = delete;

    [[nodiscard]] unsigned in_force() const { return in_force_; }
    [[nodiscard]] const std::string& warning() const { return warning_; }  ///< Empty: not refused.

private:
    unsigned in_force_ = 0;
    std::string warning_;
};

}  // namespace css::runtime
