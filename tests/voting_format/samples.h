#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "voting/format/codec.h"
#include "voting/format/format.h"
#include "voting/format/header.h"

/// Values for tests: fixed ones, and random ones that are consistent.
namespace css::voting::samples {

using Random = std::mt19937_64;

Bytes16 bytes16(std::uint8_t first);
SectorIdentity identity(std::size_t sector_size);
/// Three files of cluster 'atlas'.
NewSet new_set(std::size_t sector_size);

Record full_record();
Heartbeat heartbeat();
Ballot ballot();
KillBlock kill();

Record random_record(Random& random);
Heartbeat random_heartbeat(Random& random);
Ballot random_ballot(Random& random);
KillBlock random_kill(Random& random);
Header random_header(Random& random);

/// Puts a right checksum on 512 bytes that were tampered with.
void reseal(std::span<std::byte> sector);

}  // namespace css::voting::samples
