#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "cssd/base/check.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    css::fuzz::run(std::as_bytes(std::span{data, size}));
    return 0;
}

namespace css::fuzz {
namespace {

/// In memory, since some of what is tried here syncs its file.
class Folder {
public:
    Folder() {
        std::string name = "/dev/shm/css-fuzz.XXXXXX";
        CSS_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace

std::string text_of(Input input) {
    std::string text(input.size(), '\0');
    std::ranges::transform(input, text.begin(), [](std::byte b) { return static_cast<char>(b); });
    return text;
}

const std::string& file_with(Input contents) {
    static const Folder folder;
    static const std::string path = folder.path() / "file";
    {
        std::ofstream file{path, std::ios::binary | std::ios::trunc};
        const std::string text = text_of(contents);
        file.write(text.data(), static_cast<std::streamsize>(text.size()));
        CSS_CHECK(file.good());
    }
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path;
}

void patch(std::span<std::byte> bytes, Input input) {
    constexpr std::size_t kHead = 3;
    while (input.size() > kHead) {
        const std::size_t at =
            std::to_integer<std::size_t>(input[0]) | std::to_integer<std::size_t>(input[1]) << 8U;
        const std::size_t length =
            std::min(std::to_integer<std::size_t>(input[2]), input.size() - kHead);
        input = input.subspan(kHead);
        if (at < bytes.size()) {
            const std::size_t fits = std::min(length, bytes.size() - at);
            std::ranges::copy(input.first(fits), bytes.subspan(at).begin());
        }
        input = input.subspan(length);
    }
}

}  // namespace css::fuzz
