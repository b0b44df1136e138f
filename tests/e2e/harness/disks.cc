#include "tests/e2e/harness/disks.h"

#include <iterator>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "cssd/base/unique_fd.h"

namespace css::e2e {
namespace {

constexpr off_t kDiskSize = off_t{2} << 20;

void make_file(const std::string& path) {
    const UniqueFd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    CSS_CHECK(fd.get() >= 0);
    CSS_CHECK(::ftruncate(fd.get(), kDiskSize) == 0);
}

void make_access(const std::string& path, Access access) {
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    CSS_CHECK(fd.get() >= 0);
    const int flag = access == Access::kReadOnly ? 1 : 0;
    CSS_CHECK(::ioctl(fd.get(), BLKROSET, &flag) == 0);
}

/// Behind css_fault_fs.
std::string file_name(unsigned file) {
    return "/vote" + std::to_string(file);
}

}  // namespace

VotingDisks::VotingDisks(const Options& options, const std::string& directory)
    : options_(options), backing_(directory + "/faulty"), paths_(options.nodes) {
    for (unsigned f = 1; f <= options.files; ++f) {
        const std::string file = directory + "/vote" + std::to_string(f) + ".img";
        switch (options.kind) {
            case DiskKind::kFreezable: add_freezable(); break;
            case DiskKind::kPlain: {
                directories_.emplace_back();
                add_for_all(directories_.back().file("vote" + std::to_string(f)));
                break;
            }
            case DiskKind::kLoop:
                make_file(file);
                add_loops(file);
                break;
            case DiskKind::kFaulty: break;
        }
    }
    if (options.kind == DiskKind::kFaulty) {
        add_faulty();
    }
}

VotingDisks::~VotingDisks() {
    for (const test::LoopDevice& loop : loops_) {
        make_access(loop.path(), Access::kReadWrite);
    }
    // The process that watches over a freezable disk was forked with the earlier disks' pipes open:
    // it must end before they do.
    while (!freezable_.empty()) {
        freezable_.pop_back();
    }
}

void VotingDisks::add_for_all(const std::string& path) {
    for (auto& own : paths_) {
        own.push_back(path);
    }
}

void VotingDisks::add_freezable() {
    directories_.emplace_back();
    auto made = test::FreezableDisk::make(directories_.back(), std::vector<std::byte>(kDiskSize));
    CSS_CHECK(made.has_value());
    freezable_.push_back(std::move(made).value());
    add_for_all(freezable_.back().path());
}

void VotingDisks::add_loops(const std::string& file) {
    for (auto& own : paths_) {
        auto made = test::LoopDevice::attach(file, options_.sector_size);
        CSS_CHECK(made.has_value());
        loops_.push_back(std::move(made).value());
        own.push_back(loops_.back().path());
        // A device remembers across its uses that it was read-only.
        make_access(own.back(), Access::kReadWrite);
    }
}

void VotingDisks::add_faulty() {
    CSS_CHECK(::mkdir(backing_.c_str(), 0755) == 0);
    for (unsigned f = 1; f <= options_.files; ++f) {
        make_file(backing_ + file_name(f));
    }
    directories_.emplace_back();
    const test::TemporaryDirectory& ways = directories_.back();
    for (unsigned n = 1; n <= options_.nodes; ++n) {
        const std::string way = ways.file("node" + std::to_string(n));
        mounts_.emplace_back(backing_, way);
        for (unsigned f = 1; f <= options_.files; ++f) {
            paths_.at(n - 1).push_back(way + file_name(f));
        }
    }
    sound_ = ways.file("sound");
    mounts_.emplace_back(backing_, sound_);
}

const std::vector<std::string>& VotingDisks::paths(unsigned node) const {
    return paths_.at(node - 1);
}

void VotingDisks::freeze(unsigned file) {
    CSS_CHECK(file >= 1 && file <= freezable_.size());
    std::next(freezable_.begin(), static_cast<std::ptrdiff_t>(file) - 1)->freeze();
}

void VotingDisks::thaw(unsigned file) {
    CSS_CHECK(file >= 1 && file <= freezable_.size());
    std::next(freezable_.begin(), static_cast<std::ptrdiff_t>(file) - 1)->thaw();
}

void VotingDisks::set_access(unsigned node, unsigned file, Access access) {
    CSS_CHECK(options_.kind == DiskKind::kLoop);
    make_access(paths(node).at(file - 1), access);
}

void VotingDisks::fault(unsigned node, unsigned file, const std::string& verb, unsigned amount) {
    CSS_CHECK(node >= 1 && node <= options_.nodes && !mounts_.empty());
    std::next(mounts_.begin(), static_cast<std::ptrdiff_t>(node) - 1)
        ->fault(verb, "vote" + std::to_string(file), amount);
}

void VotingDisks::clear_faults() {
    for (unsigned n = 1; n <= options_.nodes; ++n) {
        for (unsigned f = 1; f <= options_.files; ++f) {
            fault(n, f, "clear");
        }
    }
}

void VotingDisks::wipe(unsigned file) {
    for (const off_t size : {off_t{0}, kDiskSize}) {
        CSS_CHECK(::truncate((backing_ + file_name(file)).c_str(), size) == 0);
    }
}

void VotingDisks::truncate(unsigned file) {
    CSS_CHECK(::truncate((backing_ + file_name(file)).c_str(), kDiskSize / 256) == 0);
}

std::string VotingDisks::sound_path(unsigned file) const {
    return sound_ + file_name(file);
}

}  // namespace css::e2e
