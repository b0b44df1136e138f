#include "tests/simulator/voting_image.h"

#include <algorithm>
#include <cstring>

#include "cssd/base/check.h"

namespace css::sim {
namespace {

voting::SectorIdentity identity_of(FileIndex file, std::size_t sector_size, unsigned version) {
    voting::SectorIdentity identity;
    identity.cluster.bytes.fill(std::byte{0xc5});
    identity.file.bytes.fill(std::byte{static_cast<unsigned char>(file.index() + 1)});
    identity.file.bytes[1] = std::byte{static_cast<unsigned char>(version)};
    identity.sector_size = sector_size;
    return identity;
}

}  // namespace

VotingImage::VotingImage(FileIndex file, std::size_t sector_size, unsigned slots, unsigned version)
    : identity_(identity_of(file, sector_size, version)),
      layout_(sector_size),
      raw_(layout_.slots(slots).end()),
      views_(slots) {
    format(identity_);
}

std::span<const std::byte> VotingImage::sector(NodeNumber slot, std::size_t which) const {
    const auto offset = layout_.slot(slot).offset;
    return std::span{raw_}.subspan(offset + which * sector_size(), sector_size());
}

void VotingImage::write_sector(NodeNumber slot,
                               std::size_t which,
                               std::span<const std::byte> bytes) {
    CSS_CHECK(bytes.size() == sector_size());
    const auto offset = layout_.slot(slot).offset + which * sector_size();
    if (std::memcmp(raw_.data() + offset, bytes.data(), bytes.size()) == 0) {
        return;
    }
    std::memcpy(raw_.data() + offset, bytes.data(), bytes.size());
    decode(slot, which);
}

bool VotingImage::shows(NodeNumber slot, std::span<const std::byte> written) const {
    const auto offset = layout_.slot(slot).offset;
    return std::memcmp(raw_.data() + offset, written.data(), 2 * sector_size()) == 0;
}

SlotView VotingImage::misread(const voting::SectorIdentity& identity,
                              NodeNumber slot,
                              NodeNumber source) const {
    SlotView view;
    view.heartbeat_verdict = voting::decode_heartbeat(
        identity, slot, sector(source, voting::kHeartbeatSector), view.heartbeat);
    view.ballot_verdict =
        voting::decode_ballot(identity, slot, sector(source, voting::kBallotSector), view.ballot);
    view.kill_verdict =
        voting::decode_kill(identity, slot, sector(source, voting::kKillSector), view.kill);
    return view;
}

void VotingImage::wipe() {
    std::fill(raw_.begin(), raw_.end(), std::byte{0});
    header_ = {};
    decode_all();
}

void VotingImage::replace() {
    voting::SectorIdentity other = identity_;
    other.file.bytes[0] ^= std::byte{0x80};
    header_ = {};
    format(other);
}

void VotingImage::restore(const std::vector<std::byte>& old) {
    CSS_CHECK(old.size() == raw_.size());
    raw_ = old;
    header_ = header_copied_;
    decode_all();
}

void VotingImage::format(const voting::SectorIdentity& identity) {
    for (std::size_t i = 0; i < views_.size(); ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        const auto slot = std::span{raw_}.subspan(layout_.slot(n).offset, layout_.slot_size());
        const auto part = [&](std::size_t which) {
            return slot.subspan(which * sector_size(), sector_size());
        };
        voting::encode_heartbeat(identity, n, {}, part(voting::kHeartbeatSector));
        voting::encode_ballot(identity, n, {}, part(voting::kBallotSector));
        voting::encode_kill(identity, n, {}, part(voting::kKillSector));
    }
    decode_all();
}

void VotingImage::decode(NodeNumber slot, std::size_t which) {
    SlotView& view = views_[slot.index()];
    const auto bytes = sector(slot, which);
    if (which == voting::kHeartbeatSector) {
        view.heartbeat_verdict = voting::decode_heartbeat(identity_, slot, bytes, view.heartbeat);
        if (view.heartbeat_verdict != SectorVerdict::kValid) {
            view.heartbeat = {};
        }
    } else if (which == voting::kBallotSector) {
        view.ballot_verdict = voting::decode_ballot(identity_, slot, bytes, view.ballot);
        if (view.ballot_verdict != SectorVerdict::kValid) {
            view.ballot = {};
        }
    } else {
        view.kill_verdict = voting::decode_kill(identity_, slot, bytes, view.kill);
        if (view.kill_verdict != SectorVerdict::kValid) {
            view.kill = {};
        }
    }
}

void VotingImage::decode_all() {
    for (std::size_t i = 0; i < views_.size(); ++i) {
        for (std::size_t which = 0; which < voting::kSlotSectors; ++which) {
            decode(NodeNumber::from_index(i), which);
        }
    }
}

}  // namespace css::sim
