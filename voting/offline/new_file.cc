#include "voting/offline/new_file.h"

#include <array>
#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "voting/format/bytes.h"
#include "voting/format/format.h"
#include "voting/offline/in_use.h"

namespace css::voting {
namespace {

Error refused(const VotingDevice& device, const std::string& why) {
    return Error{ErrorCode::kConflict, 0, device.path() + " " + why};
}

/// What the device holds, if that is a file of this cluster; an error, if it holds anything else
/// but zeros.
Result<std::optional<FileUid>> contents_of(const VotingDevice& device, const Header& set) {
    const Result<std::vector<std::byte>> bytes = device.read();
    if (!bytes) {
        return bytes.error();
    }
    if (all_zero(*bytes)) {
        return std::optional<FileUid>{};
    }
    Header header;
    if (bytes->size() < kHeaderSize ||
        decode_header(std::span{*bytes}.first<kHeaderSize>(), header) != SectorVerdict::kValid) {
        return refused(device, "holds other data: give a file that is empty, or zeros only");
    }
    if (header.cluster != set.cluster) {
        return refused(device,
                       "is a voting file of cluster '" + header.cluster_name + "' (GUID " +
                           to_hex(header.cluster.bytes) +
                           "): give one that is empty, or zeros only");
    }
    if (index_of(set, header.file)) {
        return refused(device, "is a voting file of this cluster already");
    }
    if (header.sector_size != set.sector_size) {
        return refused(device,
                       "has sectors of " + std::to_string(header.sector_size) +
                           " bytes, the other voting files of " + std::to_string(set.sector_size));
    }
    return std::optional{header.file};
}

Result<VotingDevice> open_or_create(const std::string& path, bool& created) {
    std::error_code ignored;
    created = !std::filesystem::exists(path, ignored) && !ignored;
    return created ? VotingDevice::create(path)
                   : VotingDevice::open(path, VotingDevice::Access::kWrite);
}

Status format_new(VotingDevice& device, HeaderRegion region, bool created) {
    if (device.sector_size_min() > region.header.sector_size) {
        return refused(device,
                       "has sectors of " + std::to_string(device.sector_size_min()) +
                           " bytes, the voting files of this cluster of " +
                           std::to_string(region.header.sector_size));
    }
    if (Status slots = write_slots(device, region.header); !slots) {
        return slots;
    }
    if (Status header = write_region(device, region); !header) {
        return header;
    }
    return created ? sync_directory(device.path()) : Status{Done{}};
}

}  // namespace

FileUid draw_file_uid() {
    FileUid uid;
    do {
        CSS_CHECK(::getrandom(uid.bytes.data(), uid.bytes.size(), 0) ==
                  static_cast<ssize_t>(uid.bytes.size()));
    } while (tag_of(uid) == FileTag{});
    return uid;
}

Status write_slots(VotingDevice& device, const Header& header) {
    const std::vector<std::byte> image = formatted_image(header);
    if (Status grown = device.grow(image.size()); !grown) {
        return grown;
    }
    const std::vector<std::byte> no_header(kHeaderSize);
    if (Status cleared = device.write(0, no_header); !cleared) {
        return cleared;
    }
    return device.write(kHeaderSize, std::span{image}.subspan(kHeaderSize));
}

Status write_region(const VotingDevice& device, const HeaderRegion& region) {
    std::array<std::byte, kHeaderSize> bytes{};
    encode_region(region, bytes);
    return device.write(0, bytes);
}

Status sync_directory(const std::string& path) {
    const std::string parent = std::filesystem::absolute(path).parent_path();
    const Fd fd{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd.is_open() || ::fsync(fd.get()) != 0) {
        return Error{ErrorCode::kSystem,
                     errno,
                     parent + ": cannot be synced: " + std::generic_category().message(errno)};
    }
    return Done{};
}

Result<NewFile> prepare_file(const std::string& path, const HeaderRegion& set) {
    bool created = false;
    Result<VotingDevice> device = open_or_create(path, created);
    if (!device) {
        return device.error();
    }
    const Result<std::optional<FileUid>> found = contents_of(*device, set.header);
    if (!found) {
        return found.error();
    }
    if (*found) {
        return NewFile{**found, false};
    }
    HeaderRegion region = set;
    region.header.file = draw_file_uid();
    Status formatted = lock_whole(*device, "give one that nobody uses");
    if (formatted) {
        formatted = format_new(*device, region, created);
    }
    if (!formatted) {
        if (created) {
            (void)::unlink(path.c_str());
        }
        return formatted.error();
    }
    return NewFile{region.header.file, true};
}

}  // namespace css::voting
