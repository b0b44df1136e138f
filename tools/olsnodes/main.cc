#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "cssd/config/config.h"
#include "cssd/runtime/control_client.h"

namespace css {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kUnreachable = 3;

po::options_description visible_options() {
    po::options_description options{
        "Usage: olsnodes [-n] [-s] [-t] [-p] [-l] [-c] [NODE]\n"
        "Lists the nodes of the cluster, as this node sees them; columns are tab separated.\n\n"
        "Options"};
    auto add = options.add_options();
    add("number,n", "with the node's number");
    add("private,p", "with its address on the first interconnect");
    add("status,s", "with Active or Inactive");
    add("type,t", "with Pinned: numbers of nodes never change");
    add("local,l", "this node only");
    add("cluster,c", "the cluster's name only");
    add("run-dir", po::value<std::string>(), "of the daemon; else CSS_RUN_DIR, else /run/cssd");
    add("help", "show this and end");
    add("version", "show the version and end");
    return options;
}

po::variables_map parse(int argc, const char* const* argv) {
    auto options = visible_options();
    options.add_options()("node", po::value<std::string>());
    po::positional_options_description positions;
    positions.add("node", 1);
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::variables_map given;
    po::store(po::command_line_parser(argc, argv)
                  .options(options)
                  .positional(positions)
                  .style(style)
                  .run(),
              given);
    return given;
}

std::string run_dir(const po::variables_map& given) {
    if (given.count("run-dir") != 0) {
        return given["run-dir"].as<std::string>();
    }
    const char* const from_environment = std::getenv("CSS_RUN_DIR");
    return from_environment != nullptr && *from_environment != '\0' ? from_environment
                                                                    : "/run/cssd";
}

Result<json> ask_view(const std::string& directory) {
    auto client = runtime::ControlClient::connect(directory);
    if (!client) {
        return client.error();
    }
    if (auto sent = client->send({{"request", "view"}}); !sent) {
        return sent.error();
    }
    constexpr std::chrono::seconds kAnswerMax{10};
    return client->receive(kAnswerMax);
}

void print_node(const json& node, const po::variables_map& given) {
    std::string line = node.value("name", "");
    if (given.count("number") != 0) {
        line += "\t" + std::to_string(node.value("number", 0));
    }
    if (given.count("private") != 0) {
        line += "\t" + node.value("address", "");
    }
    if (given.count("status") != 0) {
        line += node.value("member", false) ? "\tActive" : "\tInactive";
    }
    if (given.count("type") != 0) {
        line += "\tPinned";
    }
    std::cout << line << '\n';
}

int list_nodes(const json& view, const po::variables_map& given) {
    std::string wanted = given.count("node") != 0 ? given["node"].as<std::string>() : "";
    if (given.count("local") != 0 && view.contains("node") && view.at("node").is_string()) {
        wanted = view.at("node").get<std::string>();
    }
    bool found = wanted.empty();
    for (const json& node : view.value("nodes", json::array())) {
        if (wanted.empty() || node.value("name", "") == wanted) {
            print_node(node, given);
            found = true;
        }
    }
    if (!found) {
        std::cerr << "olsnodes: node '" << wanted << "' is not in the nodes file\n";
        return kFailed;
    }
    return EXIT_SUCCESS;
}

int run(const po::variables_map& given) {
    if (given.count("help") != 0) {
        std::cout << visible_options();
        return EXIT_SUCCESS;
    }
    if (given.count("version") != 0) {
        std::cout << "olsnodes " CSS_VERSION "\n";
        return EXIT_SUCCESS;
    }
    const auto view = ask_view(run_dir(given));
    if (!view) {
        std::cerr << "olsnodes: the daemon cannot be reached: " << view.error().message << '\n';
        return kUnreachable;
    }
    if (given.count("cluster") != 0) {
        std::cout << view->value("cluster_name", "") << '\n';
        return EXIT_SUCCESS;
    }
    return list_nodes(*view, given);
}

}  // namespace
}  // namespace css

int main(int argc, char** argv) {
    try {
        return css::run(css::parse(argc, argv));
    } catch (const boost::program_options::error& wrong) {
        std::cerr << "olsnodes: " << wrong.what() << " (see olsnodes --help)\n";
        return css::kUsage;
    } catch (const std::exception& failed) {
        std::cerr << "olsnodes: " << failed.what() << '\n';
        return css::kFailed;
    }
}
