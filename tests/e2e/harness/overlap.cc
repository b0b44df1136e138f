#include "tests/e2e/harness/overlap.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace css::e2e {
namespace {

void check_split_brain(unsigned teller,
                       const Told& complete,
                       const std::map<unsigned, std::vector<Acted>>& acted,
                       std::vector<std::string>& found) {
    for (const auto& [node, lines] : acted) {
        if (complete.members.contains(node)) {
            continue;
        }
        // The last one is the worst; one sentence a node and record is enough.
        const auto worst = std::find_if(lines.rbegin(), lines.rend(), [&](const Acted& line) {
            return line.time > complete.time && line.token < complete.incarnation;
        });
        if (worst != lines.rend()) {
            found.push_back("split brain: node " + std::to_string(node) + " acted with token " +
                            std::to_string(worst->token) + " " +
                            std::to_string(as_millis(worst->time - complete.time)) +
                            " ms after node " + std::to_string(teller) + " was told that record " +
                            std::to_string(complete.incarnation) + " " + to_text(complete.members) +
                            " is complete");
        }
    }
}

void check_agreement(const std::map<unsigned, std::vector<Told>>& told,
                     std::vector<std::string>& found) {
    std::map<std::uint64_t, Members> decided;
    for (const auto& [teller, events] : told) {
        for (const Told& event : events) {
            if (event.type != "decided" && event.type != "complete") {
                continue;
            }
            const auto [first, is_new] = decided.emplace(event.incarnation, event.members);
            if (!is_new && first->second != event.members) {
                found.push_back("disagreement: record " + std::to_string(event.incarnation) +
                                " is " + to_text(first->second) + " and, for node " +
                                std::to_string(teller) + ", " + to_text(event.members));
            }
        }
    }
}

void check_monotonic(unsigned teller, std::vector<Told> events, std::vector<std::string>& found) {
    std::erase_if(events, [](const Told& event) { return event.type != "complete"; });
    std::ranges::stable_sort(events, {}, &Told::time);
    for (std::size_t i = 1; i < events.size(); ++i) {
        if (events[i].incarnation < events[i - 1].incarnation) {
            found.push_back("node " + std::to_string(teller) + " went back from record " +
                            std::to_string(events[i - 1].incarnation) + " to " +
                            std::to_string(events[i].incarnation));
        }
    }
}

void check_tokens(unsigned node, const std::vector<Acted>& lines, std::vector<std::string>& found) {
    for (std::size_t i = 1; i < lines.size(); ++i) {
        if (lines[i].token < lines[i - 1].token) {
            found.push_back("the token of node " + std::to_string(node) + " went back from " +
                            std::to_string(lines[i - 1].token) + " to " +
                            std::to_string(lines[i].token));
        }
    }
}

}  // namespace

std::vector<Acted> read_client_log(const std::string& path) {
    std::vector<Acted> lines;
    std::ifstream file{path};
    std::string line;
    while (std::getline(file, line)) {
        Acted acted;
        std::istringstream words{line};
        if (!file.eof() && words >> acted.time >> acted.node >> acted.token) {
            lines.push_back(acted);
        }
    }
    return lines;
}

std::vector<std::string> find_violations(const std::map<unsigned, std::vector<Told>>& told,
                                         const std::map<unsigned, std::vector<Acted>>& acted) {
    std::vector<std::string> found;
    for (const auto& [teller, events] : told) {
        for (const Told& event : events) {
            if (event.type == "complete") {
                check_split_brain(teller, event, acted, found);
            }
        }
        check_monotonic(teller, events, found);
    }
    for (const auto& [node, lines] : acted) {
        check_tokens(node, lines, found);
    }
    check_agreement(told, found);
    return found;
}

}  // namespace css::e2e
