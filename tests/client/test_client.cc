/// Appends a line `boottime_ns node token` to a shared file, again and again, only while its node
/// may act. After an eviction is complete no line of the evicted node may be later: that is what
/// end-to-end tests check in the file.
///
///   css_test_client --run-dir DIR --node N --out FILE [--period-us 1000]
///
/// Time is taken between asking and writing, so a line tells of a moment at which the answer was
/// yes, or at most a few microseconds later; what a scheduler adds between is part of the truth.

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "css.h"

namespace {

struct Options {
    const char* run_dir = nullptr;
    const char* node = nullptr;
    const char* out = nullptr;
    long period_us = 1000;
};

constexpr long kMillion = 1'000'000;

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string word = argv[i];
        if (word == "--run-dir") {
            options.run_dir = argv[i + 1];
        } else if (word == "--node") {
            options.node = argv[i + 1];
        } else if (word == "--out") {
            options.out = argv[i + 1];
        } else if (word == "--period-us") {
            options.period_us = std::strtol(argv[i + 1], nullptr, 10);
        } else {
            return false;
        }
    }
    return argc % 2 == 1 && options.node != nullptr && options.out != nullptr &&
           options.period_us > 0 && options.period_us < kMillion;
}

int fail(const char* step, int status) {
    std::fprintf(stderr, "css_test_client: %s: %s\n", step, std::strerror(-status));
    return 1;
}

/// One atomic append. False: the file cannot be written.
bool note(int file, const char* node, std::uint64_t token) {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    std::array<char, 96> line{};
    const int length = std::snprintf(line.data(),
                                     line.size(),
                                     "%lld %s %llu\n",
                                     static_cast<long long>(t.tv_sec) * 1'000'000'000 + t.tv_nsec,
                                     node,
                                     static_cast<unsigned long long>(token));
    return write(file, line.data(), static_cast<std::size_t>(length)) == length;
}

/// While the node may act; then back to waiting. Ends when the daemon has gone.
int act(css_t* css, int file, const Options& options) {
    const timespec period{0, options.period_us * 1000};
    for (;;) {
        const int status = css_wait_active(css, -1);
        if (status != 0) {
            return fail("css_wait_active", status);
        }
        std::uint64_t token = 0;
        while (css_may_act(css, &token) == 1) {
            if (!note(file, options.node, token)) {
                return fail(options.out, -errno);
            }
            clock_nanosleep(CLOCK_BOOTTIME, 0, &period, nullptr);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: css_test_client --run-dir DIR --node N --out FILE "
                     "[--period-us 1..999999]\n");
        return 2;
    }
    const int file = open(options.out, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        return fail(options.out, -errno);
    }
    css_t* css = nullptr;
    int status = css_connect(options.run_dir, &css);
    if (status != 0) {
        return fail("css_connect", status);
    }
    status = css_register_self(css);
    if (status != 0) {
        return fail("css_register_self", status);
    }
    std::printf("registered\n");
    std::fflush(stdout);
    return act(css, file, options);
}
