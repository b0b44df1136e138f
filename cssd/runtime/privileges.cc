#include "cssd/runtime/privileges.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "cssd/base/check.h"

namespace css::runtime {

std::vector<std::string> lock_memory() {
    std::vector<std::string> refused;
    // As root the limit does not count; where it does, the hard one may be enough.
    rlimit limit{};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(setrlimit(RLIMIT_MEMLOCK, &limit));
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        refused.push_back(std::string{"memory cannot be locked ("} + std::strerror(errno) +
                          "): raise the limit 'memlock'. Paging may delay heartbeats");
    }
    std::ofstream oom{"/proc/self/oom_score_adj"};
    oom << "-1000" << std::flush;
    if (!oom) {
        refused.emplace_back("oom_score_adj cannot be lowered: needs CAP_SYS_RESOURCE");
    }
    return refused;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
    }
}

RealtimeScope::RealtimeScope(unsigned priority) {
    if (priority == 0) {
        return;
    }
    sched_param parameters{};
    parameters.sched_priority = static_cast<int>(priority);
    if (sched_setscheduler(0, SCHED_RR, &parameters) == 0) {
        in_force_ = priority;
    } else {
        warning_ = "real-time priority " + std::to_string(priority) + " is refused (" +
                   std::strerror(errno) + "): raise the limit 'rtprio'. Load may delay heartbeats";
    }
}

RealtimeScope::~RealtimeScope() {
    if (in_force_ != 0) {
        const sched_param parameters{};
        CSS_CHECK(sched_setscheduler(0, SCHED_OTHER, &parameters) == 0);
    }
}

}  // namespace css::runtime
