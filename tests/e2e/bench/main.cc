#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "tests/e2e/bench/table.h"

namespace {

namespace bench = css::e2e::bench;

struct Bench {
    std::string_view name;
    const char* amount;  ///< Its argument, that it need not have; empty: it takes none.
    unsigned usual;
    bool (*run)(unsigned amount);
};

constexpr std::array<Bench, 6> kBenches{{
    {"client", "", 1, [](unsigned) { return bench::client(); }},
    {"failover", "[RUNS]", 10, bench::failover},
    {"fencing", "[RUNS]", 10, bench::fencing},
    {"forged", "[COUNT]", 1'000'000, bench::forged},
    {"loaded", "[SECONDS]", 600, [](unsigned s) { return bench::loaded(std::chrono::seconds{s}); }},
    {"steady", "[SECONDS]", 60, [](unsigned s) { return bench::steady(std::chrono::seconds{s}); }},
}};

int usage() {
    for (const Bench& each : kBenches) {
        std::fprintf(stderr, "usage: css_bench %s %s\n", each.name.data(), each.amount);
    }
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc > 1 ? argv[1] : "";
    for (const Bench& each : kBenches) {
        if (each.name != name) {
            continue;
        }
        unsigned amount = each.usual;
        if (argc > 2) {
            const std::string_view given = argv[2];
            (void)std::from_chars(given.data(), given.data() + given.size(), amount);
        }
        if (argc > (*each.amount != '\0' ? 3 : 2) || amount == 0) {
            return usage();
        }
        if (const std::string missing = css::e2e::missing_here(); !missing.empty()) {
            std::fprintf(stderr, "css_bench %s\n", missing.c_str());
            return 1;
        }
        return each.run(amount) ? 0 : 1;
    }
    return usage();
}
