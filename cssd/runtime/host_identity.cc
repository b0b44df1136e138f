#include "cssd/runtime/host_identity.h"

#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include <sodium.h>

namespace css::runtime {
namespace {

std::string contents_of(const char* path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

std::uint64_t hash_of(const std::string& text) {
    std::array<unsigned char, 16> out{};
    static_assert(out.size() >= crypto_generichash_BYTES_MIN);
    const std::string salted = "cssd\n" + text;  // The machine id itself is not to be shown.
    std::array<unsigned char, 512> in{};
    const std::size_t size = std::min(salted.size(), in.size());
    std::copy_n(salted.begin(), size, in.begin());
    CSS_CHECK(crypto_generichash(out.data(), out.size(), in.data(), size, nullptr, 0) == 0);
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        hash = hash << 8 | out.at(i);
    }
    return hash;
}

}  // namespace

Result<HostIdentity> host_identity() {
    CSS_CHECK(sodium_init() >= 0);
    const std::string machine = contents_of("/etc/machine-id");
    const std::string product = contents_of("/sys/class/dmi/id/product_uuid");
    const std::string boot = contents_of("/proc/sys/kernel/random/boot_id");
    if (machine.empty() && product.empty()) {
        return Error{ErrorCode::kSystem,
                     0,
                     "/etc/machine-id is empty or missing, and the product UUID cannot be read: "
                     "create one with systemd-machine-id-setup"};
    }
    if (boot.empty()) {
        return Error{ErrorCode::kSystem, 0, "/proc/sys/kernel/random/boot_id cannot be read"};
    }
    return HostIdentity{HostId{hash_of(machine + '\n' + product)}, BootId{hash_of(boot)}};
}

}  // namespace css::runtime
