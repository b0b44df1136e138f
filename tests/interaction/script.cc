#include "tests/interaction/script.h"

#include <cstdlib>
#include <map>
#include <sstream>

#include "tests/interaction/cluster.h"
#include "tests/interaction/words.h"

namespace css::interaction {
namespace {

class Teller {
public:
    std::string tell(const std::string& story);

private:
    void command(const std::string& line);
    void cluster(std::istringstream& words);
    void set(std::istringstream& words);
    void show();
    Cluster& c() {
        CSS_CHECK(cluster_ != nullptr);
        return *cluster_;
    }
    /// Milliseconds since the cluster was made.
    [[nodiscard]] std::string clock(Instant at) const;

    static NodeNumber node(std::istringstream& words) {
        unsigned n = 0;
        words >> n;
        return NodeNumber{n};
    }
    template <class Verb>
    void each(std::istringstream& words, Verb&& verb) {
        unsigned n = 0;
        while (words >> n) {
            verb(NodeNumber{n});
        }
    }

    std::unique_ptr<Cluster> cluster_;
    Instant zero_;
    std::uint64_t request_ = 0;
    std::ostringstream said_;
};

std::map<std::string, long> settings(std::istringstream& words) {
    std::map<std::string, long> found;
    std::string word;
    while (words >> word) {
        const auto eq = word.find('=');
        CSS_CHECK(eq != std::string::npos);
        found[word.substr(0, eq)] = std::strtol(word.c_str() + eq + 1, nullptr, 10);
    }
    return found;
}

void Teller::cluster(std::istringstream& words) {
    Cluster::Options o;
    for (const auto& [key, value] : settings(words)) {
        const std::chrono::milliseconds ms{value};
        if (key == "nodes") {
            o.nodes = static_cast<unsigned>(value);
        } else if (key == "configured") {
            o.configured = static_cast<unsigned>(value);
        } else if (key == "files") {
            o.files = static_cast<unsigned>(value);
        } else if (key == "misscount") {
            o.parameters.misscount = ms;
        } else if (key == "disktimeout") {
            o.parameters.disktimeout = ms;
        } else if (key == "reboottime") {
            o.parameters.reboottime = ms;
        } else if (key == "fence_command") {
            o.fence_command = ms;
        } else {
            check_failed("unknown setting", __FILE__, __LINE__);
        }
    }
    cluster_ = std::make_unique<Cluster>(
        o,
        [this](Instant at, NodeNumber n, const core::Notice& x) {
            said_ << clock(at) << " node " << n.value() << ": " << words_of(x) << '\n';
        },
        [this](Instant at, NodeNumber n, Instance victim) {
            said_ << clock(at) << " node " << n.value() << ": asks to fence " << victim.node.value()
                  << '\n';
        });
    zero_ = cluster_->now();
}

void Teller::set(std::istringstream& words) {
    const NodeNumber n = node(words);
    core::SetParameters p;
    for (const auto& [key, value] : settings(words)) {
        const std::chrono::milliseconds ms{value};
        (key == "misscount"     ? p.misscount
         : key == "disktimeout" ? p.disktimeout
                                : p.reboottime) = ms;
    }
    c().request(n, core::OperatorRequest{++request_, p});
}

std::string Teller::clock(Instant at) const {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(at - zero_).count();
    std::string text = std::to_string(us / 1000) + "." + std::to_string(us % 1000 / 100);
    return std::string(text.size() < 9 ? 9 - text.size() : 0, ' ') + text;
}

void Teller::show() {
    for (unsigned i = 1; i <= c().nodes(); ++i) {
        const NodeNumber n{i};
        const auto s = c().status(n);
        said_ << "node " << i << ": ";
        if (!s) {
            said_ << "down\n";
            continue;
        }
        said_ << words_of(*s) << (c().clients_act(n) ? ", clients act" : "") << '\n';
    }
}

void Teller::command(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    const std::map<std::string, std::function<void()>> verbs{
        {"cluster", [&] { cluster(words); }},
        {"start", [&] { each(words, [this](NodeNumber n) { c().start(n); }); }},
        {"crash", [&] { each(words, [this](NodeNumber n) { c().crash(n); }); }},
        {"pause", [&] { each(words, [this](NodeNumber n) { c().pause(n); }); }},
        {"resume", [&] { each(words, [this](NodeNumber n) { c().resume(n); }); }},
        {"cut",
         [&] {
             const NodeNumber a = node(words);
             const NodeNumber b = node(words);
             c().cut(a, b);
             c().cut(b, a);
         }},
        {"cut-from",
         [&] {
             const NodeNumber a = node(words);
             c().cut(a, node(words));
         }},
        {"heal", [&] { c().heal(); }},
        {"hang",
         [&] {
             const NodeNumber n = node(words);
             c().hang(n, node(words).value());
         }},
        {"unhang",
         [&] {
             const NodeNumber n = node(words);
             c().unhang(n, node(words).value());
         }},
        {"lose-guardian", [&] { each(words, [this](NodeNumber n) { c().lose_guardian(n); }); }},
        {"leave",
         [&] {
             c().request(node(words), core::OperatorRequest{++request_, core::Leave{}});
         }},
        {"stop-all",
         [&] {
             c().request(node(words), core::OperatorRequest{++request_, core::StopClusterNodes{}});
         }},
        {"evict",
         [&] {
             const NodeNumber victim = node(words);
             c().request(node(words), core::OperatorRequest{++request_, core::EvictNode{victim}});
         }},
        {"standby",
         [&] {
             const NodeNumber n = node(words);
             int on = 0;
             words >> on;
             c().request(n, core::OperatorRequest{++request_, core::SetStandby{on != 0}});
         }},
        {"set", [&] { set(words); }},
        {"reload",
         [&] {
             const unsigned configured = node(words).value();
             each(words, [this, configured](NodeNumber n) { c().reload(n, configured); });
         }},
        {"add-file",
         [&] {
             const unsigned file = node(words).value();
             NodeSet nodes;
             each(words, [&nodes](NodeNumber n) { nodes.insert(n); });
             c().add_file(file - 1, nodes);
         }},
        {"close-file", [&] { c().close_file(node(words).value() - 1); }},
        {"voting-files",
         [&] {
             const NodeNumber n = node(words);
             std::vector<unsigned> files;
             each(words, [&files](NodeNumber f) { files.push_back(f.value() - 1); });
             c().request(n, core::OperatorRequest{++request_, c().change_to(files)});
         }},
        {"run",
         [&] {
             long ms = 0;
             words >> ms;
             c().run(std::chrono::milliseconds{ms});
         }},
        {"show", [&] { show(); }},
    };
    const auto found = verbs.find(verb);
    if (found == verbs.end()) {
        said_ << "unknown command: " << line << '\n';
        return;
    }
    found->second();
}

std::string Teller::tell(const std::string& story) {
    std::istringstream in(story);
    std::ostringstream out;
    std::string line;
    bool answering = false;
    const auto finish = [&] {
        if (answering) {
            out << said_.str();
            said_.str("");
            answering = false;
        }
    };
    while (std::getline(in, line)) {
        if (line.empty()) {
            finish();
            out << '\n';
        } else if (line == "----") {
            out << line << '\n';
            answering = true;
        } else if (answering) {
            continue;  // The old answer.
        } else {
            out << line << '\n';
            if (line.front() != '#') {
                command(line);
            }
        }
    }
    finish();
    return out.str();
}

}  // namespace

std::string retell(const std::string& story) {
    return Teller{}.tell(story);
}

}  // namespace css::interaction
