#pragma once

#include <algorithm>
#include <chrono>

#include "cssd/base/time.h"

namespace css {

/// The chosen time-outs of a cluster; everything else is derived below. They travel in the record,
/// so all members hold the same ones (PROTOCOL 2). `validate()` in cssd/config/parameters.h says
/// which combinations are allowed; whole milliseconds only.
struct Parameters {
    std::chrono::milliseconds misscount{30'000};     ///< Network silence after which a node goes.
    std::chrono::milliseconds disktimeout{200'000};  ///< LIOT: longest silence on voting files.
    std::chrono::milliseconds reboottime{3'000};     ///< Time granted for a stop to take effect.
    friend constexpr bool operator==(const Parameters&, const Parameters&) = default;
};

/// Period of heartbeats on network and disk.
constexpr Duration interval(const Parameters& p) {
    return std::min<Duration>(std::chrono::seconds{1}, Duration{p.misscount} / 10);
}

/// The time-out of the lease while some member may not hear this instance (PROTOCOL 4).
constexpr Duration siot(const Parameters& p) {
    return p.misscount - p.reboottime;
}

/// The time-out of the lease while all members hear this instance and only disks are silent.
constexpr Duration liot(const Parameters& p) {
    return p.disktimeout;
}

/// A link whose silence is this long is in doubt (PROTOCOL 5): from SIOT on, and never later than
/// five intervals before it is lost. The newest echo over a link that is well is up to two
/// intervals old, and older where heartbeats are lost, so links that are cut at one moment are lost
/// at different moments. With the margin all of them are in doubt, and published so, before the
/// first is lost: settling (7.1) that waits for the end of doubt sees the whole of the cut.
constexpr Duration doubt_after(const Parameters& p) {
    return std::min(siot(p), p.misscount - 5 * interval(p));
}

/// Both waits of settling end this long after the first loss of a link (PROTOCOL 7.1).
constexpr Duration settle_max(const Parameters& p) {
    return p.reboottime + 8 * interval(p);
}

/// Settling ends, with no link in doubt, when everybody has spoken since the first loss; or when
/// the connected sets have not changed for this long (PROTOCOL 7.1).
constexpr Duration settle_stable(const Parameters& p) {
    return 2 * interval(p);
}

/// Whether these time-outs may be in force together (PROTOCOL 2), and leave a lease that can be
/// renewed: an echo is up to two intervals old when the next one comes, so SIOT is longer.
constexpr bool consistent(const Parameters& p) {
    return 2 * interval(p) <= p.reboottime && p.reboottime < p.misscount &&
           p.misscount < p.disktimeout && 2 * interval(p) < siot(p);
}

/// Cycles of one file during a reconfiguration begin at least this far apart (PROTOCOL 4).
inline constexpr Duration kFastCycle = std::chrono::milliseconds{20};

// A node cut off at t=0 with the defaults, second by second:
//    0.0  last heartbeat echoed; A(m) = 0
//   25.0  links in doubt; cycles run back to back
//   27.0  E of the node, max(D, A) + SIOT, if its disks died with the network
//   30.0  the link is lost: misscount; the node's host is stopped by now (27 + reboottime)
//   30.1  everybody has spoken since, no link is in doubt: the survivors decide
//   41.0  at the latest the waits of settling end: 30 + reboottime + 8 intervals
static_assert(consistent(Parameters{}));
static_assert(interval(Parameters{}) == std::chrono::seconds{1});
static_assert(siot(Parameters{}) == std::chrono::seconds{27});
static_assert(liot(Parameters{}) == std::chrono::seconds{200});
static_assert(doubt_after(Parameters{}) == std::chrono::seconds{25});
static_assert(settle_max(Parameters{}) == std::chrono::seconds{11});

}  // namespace css
