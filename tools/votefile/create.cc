#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <unistd.h>

#include "cssd/config/duration.h"
#include "cssd/config/parameters.h"
#include "tools/votefile/options.h"
#include "voting/format/bytes.h"
#include "voting/format/format.h"
#include "voting/offline/in_use.h"
#include "voting/offline/inspect.h"
#include "voting/offline/new_file.h"
#include "voting/offline/voting_device.h"

/// Formatting a set. Every reason to refuse is looked for in all files before the first byte of any
/// is changed. The headers are written last, so that no half formatted file looks like a whole one.
namespace css::votefile {
namespace {

using voting::Inspected;
using voting::VotingDevice;

Error invalid(std::string message) {
    return Error{ErrorCode::kInvalid, 0, std::move(message)};
}

Status check_request(const CreateOptions& options) {
    if (Status name = voting::check_cluster_name(options.cluster_name); !name) {
        return name;
    }
    if (Status count = voting::check_file_count(options.paths.size()); !count) {
        return count;
    }
    return config::validate(options.parameters);
}

/// The files of the set while it is made. Those made anew are removed again unless all went well.
class Devices {
public:
    Devices() = default;
    Devices(const Devices&) = delete;
    Devices& operator=(const Devices&) = delete;
    ~Devices() {
        for (const std::string& path : made_) {
            (void)::unlink(path.c_str());
        }
    }

    Status open_all(const std::vector<std::string>& paths) {
        for (const std::string& path : paths) {
            if (Status fresh = check_new(path); !fresh) {
                return fresh;
            }
            std::error_code ignored;
            const bool missing = !std::filesystem::exists(path, ignored) && !ignored;
            Result<VotingDevice> device =
                missing ? VotingDevice::create(path)
                        : VotingDevice::open(path, VotingDevice::Access::kWrite);
            if (missing && device) {
                made_.push_back(path);
            }
            if (!device) {
                return device.error();
            }
            devices_.push_back(std::move(*device));
            if (Status locked = voting::lock_whole(devices_.back(),
                                                   "stop the cluster first; --force does not help");
                !locked) {
                return locked;
            }
        }
        return Done{};
    }

    void keep() { made_.clear(); }
    std::vector<VotingDevice>& all() { return devices_; }

private:
    Status check_new(const std::string& path) {
        for (const VotingDevice& other : devices_) {
            if (other.is(path)) {
                return invalid(path + " is the same file as " + other.path() +
                               ": give each file once");
            }
        }
        return Done{};
    }

    std::vector<VotingDevice> devices_;
    std::vector<std::string> made_;
};

/// Whether what a file holds may go; --force was not given.
Status check_dispensable(const VotingDevice& device, const std::vector<std::byte>& bytes) {
    if (bytes.size() >= voting::kHeaderSize) {
        const auto start = std::span{bytes}.first<voting::kHeaderSize>();
        voting::Header header;
        if (voting::decode_header(start, header) == SectorVerdict::kValid) {
            return Error{ErrorCode::kConflict,
                         0,
                         device.path() + " is a voting file of cluster '" + header.cluster_name +
                             "' (GUID " + voting::to_hex(header.cluster.bytes) +
                             "): give --force to format it again"};
        }
        if (voting::looks_like_header(start)) {
            return Error{
                ErrorCode::kConflict,
                0,
                device.path() + " is a damaged voting file: give --force to format it again"};
        }
    }
    return Error{
        ErrorCode::kConflict, 0, device.path() + " holds other data: give --force to overwrite it"};
}

/// What is there already may be overwritten, and nobody uses it.
Status check_contents(const CreateOptions& options, std::span<const VotingDevice> devices) {
    std::vector<Inspected> found;
    bool anything = false;
    for (const VotingDevice& device : devices) {
        Result<std::vector<std::byte>> bytes = device.read();
        if (!bytes) {
            return bytes.error();
        }
        const bool empty = voting::all_zero(*bytes);
        if (!empty && options.existing == Existing::kRefuse) {
            return check_dispensable(device, *bytes);
        }
        anything = anything || !empty;
        Inspected now;
        now.path = device.path();
        now.bytes = std::move(*bytes);
        if (now.bytes.size() >= voting::kHeaderSize) {
            now.header_verdict = voting::decode_header(
                std::span{std::as_const(now.bytes)}.first<voting::kHeaderSize>(), now.header);
        }
        found.push_back(std::move(now));
    }
    return anything ? voting::check_still(devices, found) : Status{Done{}};
}

/// The size asked for, or the smallest that every file allows; one size for the whole set.
Result<std::size_t> choose_sector_size(const CreateOptions& options,
                                       std::span<const VotingDevice> devices) {
    std::size_t size = options.sector_size.value_or(voting::kSectorSizeSmall);
    for (const VotingDevice& device : devices) {
        const std::size_t least = device.sector_size_min();
        if (least > voting::kSectorSizeLarge || (options.sector_size && least > size)) {
            return invalid(device.path() + " has sectors of " + std::to_string(least) + " bytes: " +
                           (least > voting::kSectorSizeLarge ? "a voting file needs 512 or 4096"
                                                             : "give --sector-size 4096"));
        }
        if (least > size) {
            size = voting::kSectorSizeLarge;
        }
    }
    return size;
}

std::vector<voting::Header> new_headers(const CreateOptions& options, std::size_t sector_size) {
    voting::NewSet set;
    set.cluster = {voting::draw_file_uid().bytes};
    for (std::size_t i = 0; i < options.paths.size(); ++i) {
        set.files.push_back(voting::draw_file_uid());
    }
    set.cluster_name = options.cluster_name;
    set.parameters = options.parameters;
    set.slots_max = options.slots_max;
    set.sector_size = sector_size;
    return voting::headers_of(set);
}

/// Where the files are, for daemons that are not told of all of them.
voting::PathHints hints_of(const CreateOptions& options, std::span<const voting::Header> headers) {
    voting::PathHints hints;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const std::string path = std::filesystem::absolute(options.paths[i]).lexically_normal();
        if (path.size() <= voting::kPathMax) {
            hints.at(i) = {headers[i].file, path};
        }
    }
    return hints;
}

Status write_all(const CreateOptions& options,
                 std::span<VotingDevice> devices,
                 std::span<const voting::Header> headers) {
    const voting::PathHints hints = hints_of(options, headers);
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (Status written = voting::write_slots(devices[i], headers[i]); !written) {
            return written;
        }
    }
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (Status written = voting::write_region(devices[i], {headers[i], hints}); !written) {
            return written;
        }
    }
    return Done{};
}

Status create(const CreateOptions& options) {
    if (Status request = check_request(options); !request) {
        return request;
    }
    Devices devices;
    if (Status opened = devices.open_all(options.paths); !opened) {
        return opened;
    }
    const Result<std::size_t> sector_size = choose_sector_size(options, devices.all());
    if (!sector_size) {
        return sector_size.error();
    }
    if (Status contents = check_contents(options, devices.all()); !contents) {
        return contents;
    }
    const std::vector<voting::Header> headers = new_headers(options, *sector_size);
    if (Status written = write_all(options, devices.all(), headers); !written) {
        return written;
    }
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (devices.all()[i].kind() == VotingDevice::Kind::kPlainFile) {
            if (Status synced = voting::sync_directory(options.paths[i]); !synced) {
                return synced;
            }
        }
        std::printf("Formatted voting file %s, FUID %s.\n",
                    options.paths[i].c_str(),
                    voting::to_hex(headers[i].file.bytes).c_str());
    }
    devices.keep();
    std::printf(
        "Cluster %s, GUID %s: %zu voting file%s, sectors of %zu bytes, misscount %s, "
        "disktimeout %s, reboottime %s.\n",
        options.cluster_name.c_str(),
        voting::to_hex(headers[0].cluster.bytes).c_str(),
        headers.size(),
        headers.size() == 1 ? "" : "s",
        *sector_size,
        config::format_duration(options.parameters.misscount).c_str(),
        config::format_duration(options.parameters.disktimeout).c_str(),
        config::format_duration(options.parameters.reboottime).c_str());
    return Done{};
}

}  // namespace

int run_create(const CreateOptions& options) {
    if (const Status created = create(options); !created) {
        std::fprintf(stderr, "votefile: %s\n", created.error().message.c_str());
        return 1;
    }
    return 0;
}

}  // namespace css::votefile
