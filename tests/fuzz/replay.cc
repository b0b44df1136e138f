// Runs what is kept of one program's inputs, without libFuzzer: `fuzz_NAME FILE...` or a folder.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace {

void replay(const std::filesystem::path& file) {
    std::ifstream stream{file, std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{stream}, {}};
    std::fprintf(stderr, "%s\n", file.c_str());  // The last one is it when it aborts.
    css::fuzz::run(std::as_bytes(std::span{bytes}));
}

}  // namespace

int main(int argc, char** argv) {
    unsigned count = 0;
    for (const char* const name : std::span{argv, static_cast<std::size_t>(argc)}.subspan(1)) {
        if (!std::filesystem::is_directory(name)) {
            replay(name);
            ++count;
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator{name}) {
            replay(entry.path());
            ++count;
        }
    }
    std::printf("%u inputs\n", count);
    return count == 0 ? 1 : 0;
}
