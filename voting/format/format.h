#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cssd/base/timing.h"
#include "cssd/base/types.h"
#include "voting/format/header.h"

namespace css::voting {

/// What a new set of voting files is to be.
struct NewSet {
    ClusterGuid cluster;         ///< Drawn at random by the caller.
    std::vector<FileUid> files;  ///< Drawn at random, one for each file; 1 to 15, an odd count.
    std::string cluster_name;
    Parameters parameters;
    unsigned slots_max = kNodesMax;
    std::size_t sector_size = kSectorSizeSmall;
};

/// The headers of the set, one for each file, in order; file i has place i of the table.
[[nodiscard]] std::vector<Header> headers_of(const NewSet& set);

/// All bytes of a freshly formatted file: the header and a valid empty image in every slot
/// (PROTOCOL 3). Layout::file_size() bytes.
[[nodiscard]] std::vector<std::byte> formatted_image(const Header& header);

}  // namespace css::voting
