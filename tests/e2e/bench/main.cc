#include <charconv>
#include <cstdio>
#include <string_view>

#include "tests/e2e/bench/table.h"

/// css_bench client | failover [RUNS] | fencing [RUNS] | forged [COUNT] | steady [SECONDS]
int main(int argc, char** argv) {
    using namespace css::e2e;  // NOLINT(google-build-using-namespace): a main of ten lines.
    const std::string_view what = argc > 1 ? argv[1] : "";
    unsigned amount = what == "steady" ? 60 : what == "forged" ? 1'000'000 : 10;
    if (argc > 2) {
        const std::string_view given = argv[2];
        (void)std::from_chars(given.data(), given.data() + given.size(), amount);
    }
    const bool known = what == "client" || what == "failover" || what == "fencing" ||
                       what == "forged" || what == "steady";
    if (!known || argc > (what == "client" ? 2 : 3) || amount == 0) {
        std::fprintf(
            stderr,
            "usage: css_bench client | failover [RUNS] | fencing [RUNS] | forged [COUNT] | "
            "steady [SECONDS]\n");
        return 2;
    }
    if (const std::string missing = missing_here(); !missing.empty()) {
        std::fprintf(stderr, "css_bench %s\n", missing.c_str());
        return 1;
    }
    const bool good = what == "client"    ? bench::client()
                      : what == "steady"  ? bench::steady(std::chrono::seconds{amount})
                      : what == "fencing" ? bench::fencing(amount)
                      : what == "forged"  ? bench::forged(amount)
                                          : bench::failover(amount);
    return good ? 0 : 1;
}
