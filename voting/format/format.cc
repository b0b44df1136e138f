#include "voting/format/format.h"

#include "cssd/base/check.h"

namespace css::voting {

std::vector<Header> headers_of(const NewSet& set) {
    CSS_CHECK(set.files.size() % 2 == 1);
    CSS_CHECK(set.files.size() <= kFilesMax);
    Header header;
    header.cluster = set.cluster;
    header.cluster_name = set.cluster_name;
    header.sector_size = static_cast<unsigned>(set.sector_size);
    header.slots_max = set.slots_max;
    header.parameters = set.parameters;
    for (std::size_t i = 0; i < set.files.size(); ++i) {
        header.table[i] = {set.files[i], true};
        header.files.insert(FileIndex::from_index(i));
    }
    std::vector<Header> headers;
    for (const FileUid& file : set.files) {
        header.file = file;
        headers.push_back(header);
    }
    return headers;
}

std::vector<std::byte> formatted_image(const Header& header) {
    const Layout layout{header.sector_size};
    std::vector<std::byte> image(layout.file_size());
    encode_header(header, std::span{image}.first<kHeaderSize>());
    const SectorIdentity identity = header.identity();
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        const auto slot = std::span{image}.subspan(layout.slot(n).offset, layout.slot_size());
        const auto sector = [&](std::size_t number) {
            return slot.subspan(number * layout.sector_size(), layout.sector_size());
        };
        encode_heartbeat(identity, n, Heartbeat{}, sector(kHeartbeatSector));
        encode_ballot(identity, n, Ballot{}, sector(kBallotSector));
        encode_kill(identity, n, KillBlock{}, sector(kKillSector));
    }
    return image;
}

}  // namespace css::voting
