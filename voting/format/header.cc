#include "voting/format/header.h"

#include <algorithm>

#include "voting/format/contents.h"
#include "voting/format/envelope.h"

namespace css::voting {
namespace {

constexpr std::size_t kHeaderContentsSize =
    4 + 1 + 1 + 2 + 2 + 2 + kParametersSize + 8 + kClusterNameMax + std::size_t{16} * kFilesMax;
static_assert(kHeaderContentsSize <= kContentsSize);

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool is_table_consistent(const Header& h) {
    for (std::size_t i = 0; i < h.table.size(); ++i) {
        const TableEntry& entry = h.table[i];
        if (entry.in_use && entry.uid == FileUid{}) {
            return false;
        }
        if (h.files.contains(FileIndex::from_index(i)) && !entry.in_use) {
            return false;
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (entry.in_use && h.table[j].in_use && entry.uid == h.table[j].uid) {
                return false;
            }
        }
    }
    return true;
}

bool is_consistent(const Header& h) {
    return h.cluster != ClusterGuid{} && h.file != FileUid{} && is_sector_size(h.sector_size) &&
           h.slots_max >= 1 && h.slots_max <= kNodesMax && h.generation >= 1 &&
           check_cluster_name(h.cluster_name).has_value() && voting::is_consistent(h.files) &&
           h.files.count() % 2 == 1 && voting::is_consistent(h.parameters) &&
           is_table_consistent(h);
}

void put(const Header& h, FieldWriter& to) {
    to.put(std::uint32_t{h.sector_size});
    to.put(static_cast<std::uint8_t>(h.slots_max));
    to.put(static_cast<std::uint8_t>(h.cluster_name.size()));
    std::uint16_t in_use = 0;
    for (std::size_t i = 0; i < h.table.size(); ++i) {
        in_use = static_cast<std::uint16_t>(in_use | (h.table[i].in_use ? 1U << i : 0U));
    }
    to.put(in_use);
    to.put(h.files.bits());
    to.skip(2);
    put_parameters(h.parameters, to);
    to.put(h.generation);
    to.put(std::as_bytes(std::span{h.cluster_name}));
    to.skip(kClusterNameMax - h.cluster_name.size());
    for (const TableEntry& entry : h.table) {
        to.put(std::span<const std::byte>{entry.uid.bytes});
    }
}

/// False: not even readable. The rest is for is_consistent().
bool get(FieldReader& from, Header& h) {
    h.sector_size = from.get<std::uint32_t>();
    h.slots_max = from.get<std::uint8_t>();
    const std::size_t name_size = from.get<std::uint8_t>();
    const auto in_use = from.get<std::uint16_t>();
    h.files = FileSet{from.get<std::uint16_t>()};
    from.skip_zeros(2);
    h.parameters = get_parameters(from);
    h.generation = from.get<std::uint64_t>();
    if (name_size > kClusterNameMax || in_use >= (1U << kFilesMax)) {
        return false;
    }
    h.cluster_name.clear();
    for (std::size_t i = 0; i < name_size; ++i) {
        h.cluster_name.push_back(static_cast<char>(from.get<std::uint8_t>()));
    }
    from.skip_zeros(kClusterNameMax - name_size);
    for (std::size_t i = 0; i < h.table.size(); ++i) {
        h.table[i].uid.bytes = from.get_bytes16();
        h.table[i].in_use = (in_use >> i & 1) != 0;
    }
    return from.ends_well();
}

}  // namespace

Status check_cluster_name(std::string_view name) {
    if (name.empty() || name.size() > kClusterNameMax ||
        !std::all_of(name.begin(), name.end(), is_name_character)) {
        return Error{ErrorCode::kInvalid,
                     0,
                     "invalid cluster name '" + std::string{name} +
                         "': give 1 to 64 letters, digits, '-', '_' or '.'"};
    }
    return Done{};
}

void encode_header(const Header& header, std::span<std::byte, kHeaderSize> bytes) {
    CSS_CHECK(is_consistent(header));
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    FieldWriter contents{contents_of(std::span<std::byte>{bytes})};
    put(header, contents);
    seal({SectorKind::kHeader, 0, header.cluster, header.file}, bytes);
}

SectorVerdict decode_header(std::span<const std::byte, kHeaderSize> bytes, Header& out) {
    Envelope envelope;
    const SectorVerdict verdict = check_header_envelope(bytes, envelope);
    if (verdict != SectorVerdict::kValid) {
        return verdict;
    }
    Header header;
    header.cluster = envelope.cluster;
    header.file = envelope.file;
    FieldReader contents{contents_of(std::span<const std::byte>{bytes})};
    if (!get(contents, header) || !is_consistent(header)) {
        return SectorVerdict::kMalformed;
    }
    out = header;
    return SectorVerdict::kValid;
}

void encode_region(const HeaderRegion& region, std::span<std::byte, kHeaderSize> bytes) {
    encode_header(region.header, bytes);
    encode_path_hints(region.hints, bytes);
}

SectorVerdict decode_region(std::span<const std::byte, kHeaderSize> bytes, HeaderRegion& out) {
    const SectorVerdict verdict = decode_header(bytes, out.header);
    if (verdict == SectorVerdict::kValid) {
        out.hints = decode_path_hints(bytes);
    }
    return verdict;
}

bool looks_like_header(std::span<const std::byte, kHeaderSize> bytes) {
    return has_magic(bytes);
}

FileTag tag_of(const FileUid& file) {
    FieldReader from{std::span{file.bytes}};
    return FileTag{from.get<std::uint32_t>()};
}

Record genesis_record(const Header& header) {
    Record record;
    record.parameters = header.parameters;
    record.files = header.files;
    record.files_generation = header.generation;
    for (const FileIndex f : header.files) {
        record.file_tags[f] = tag_of(header.table[f.index()].uid);
    }
    return record;
}

std::optional<FileIndex> index_of(const Header& header, const FileUid& file) {
    for (std::size_t i = 0; i < header.table.size(); ++i) {
        if (header.table[i].in_use && header.table[i].uid == file) {
            return FileIndex::from_index(i);
        }
    }
    return std::nullopt;
}

std::string to_hex(const Bytes16& bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (const std::byte b : bytes) {
        const auto value = std::to_integer<unsigned>(b);
        hex += kDigits[value >> 4];
        hex += kDigits[value & 0xF];
    }
    return hex;
}

}  // namespace css::voting
