#include <algorithm>
#include <filesystem>

#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

using nlohmann::json;

/// The daemon has another working directory. A FUID is 32 hex digits.
std::string absolute(const std::string& file) {
    constexpr std::size_t kFuidSize = 32;
    const bool fuid = file.size() == kFuidSize && std::ranges::all_of(file, [](char c) {
                          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
    return fuid ? file : std::filesystem::absolute(file).lexically_normal().string();
}

Exit change_votedisks(const Invocation& invocation, json request, const char* which) {
    if (invocation.words.empty()) {
        return usage(invocation.verb + " css votedisk: give at least one voting file");
    }
    json files = json::array();
    for (const std::string& word : invocation.words) {
        files.push_back(absolute(word));
    }
    request["request"] = "change_votedisks";
    request[which] = files;
    const Reply reply = change(invocation, request);
    if (!reply.good()) {
        return reply.exit;
    }
    for (const json& path : array_at(reply.answer, "/formatted")) {
        say("Now formatting voting disk: " + text_at(path, "") + ".");
    }
    for (const json& path : array_at(reply.answer, "/added")) {
        say("CRS-4603: Successful addition of voting disk " + text_at(path, "") + ".");
    }
    for (const json& path : array_at(reply.answer, "/removed")) {
        say("CRS-4611: Successful deletion of voting disk " + text_at(path, "") + ".");
    }
    return Exit::kDone;
}

}  // namespace

Exit add_votedisk(const Invocation& invocation) {
    return change_votedisks(invocation, json::object(), "add");
}

Exit delete_votedisk(const Invocation& invocation) {
    return change_votedisks(invocation, json::object(), "remove");
}

Exit replace_votedisk(const Invocation& invocation) {
    return change_votedisks(invocation, {{"replace", true}}, "add");
}

}  // namespace css::crsctl
