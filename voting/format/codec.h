#pragma once

#include <cstddef>
#include <span>

#include "cssd/base/types.h"
#include "voting/format/sectors.h"

/// Sectors to bytes and back (FORMAT.md). Pure; any thread; no allocation.
///
/// encode_*: `sector` is exactly one sector of the file; all of it is written. The value must be
/// consistent (what decode would take as kMalformed aborts here). A value-initialised Heartbeat,
/// Ballot or KillBlock encodes the image of a formatted slot.
///
/// decode_*: `sector` is exactly one sector as read. Checks in the order of SectorVerdict:
/// checksum, magic, version, kind, cluster, file, slot, contents. `out` is written only for kValid.
namespace css::voting {

/// What every sector of one file must say about where it belongs.
struct SectorIdentity {
    ClusterGuid cluster;
    FileUid file;
    std::size_t sector_size = 0;  ///< 512 or 4096.
};

void encode_heartbeat(const SectorIdentity& identity,
                      NodeNumber slot,
                      const Heartbeat& value,
                      std::span<std::byte> sector);
void encode_ballot(const SectorIdentity& identity,
                   NodeNumber slot,
                   const Ballot& value,
                   std::span<std::byte> sector);
void encode_kill(const SectorIdentity& identity,
                 NodeNumber slot,
                 const KillBlock& value,
                 std::span<std::byte> sector);

[[nodiscard]] SectorVerdict decode_heartbeat(const SectorIdentity& identity,
                                             NodeNumber slot,
                                             std::span<const std::byte> sector,
                                             Heartbeat& out);
[[nodiscard]] SectorVerdict decode_ballot(const SectorIdentity& identity,
                                          NodeNumber slot,
                                          std::span<const std::byte> sector,
                                          Ballot& out);
[[nodiscard]] SectorVerdict decode_kill(const SectorIdentity& identity,
                                        NodeNumber slot,
                                        std::span<const std::byte> sector,
                                        KillBlock& out);

/// 'bad checksum', 'wrong slot', ...; for people.
[[nodiscard]] const char* name_of(SectorVerdict verdict);

}  // namespace css::voting
