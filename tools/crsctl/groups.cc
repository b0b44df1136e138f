#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

using nlohmann::json;

/// One line of the table of a group's members.
std::string line(const std::string& member,
                 const std::string& node,
                 const std::string& pid,
                 const std::string& uid,
                 const std::string& data) {
    return "  " + right(member, 10) + "  " + padded(node, 20) + right(pid, 8) + right(uid, 8) +
           right(data, 12);
}

void show_group(const json& group) {
    const json members = array_at(group, "/members");
    say("Group " + text_at(group, "/name") + ": " + std::to_string(members.size()) +
        (members.size() == 1 ? " member" : " members") + ", last event " +
        text_at(group, "/serial") + ", owned by uid " + text_at(group, "/owner"));
    say(line("member", "node", "pid", "uid", "data bytes"));
    for (const json& member : members) {
        const json asked = member.value("kill_asked", json{false});
        say(line(text_at(member, "/member"),
                 text_at(member, "/node") + " (" + text_at(member, "/number") + ")",
                 text_at(member, "/pid"),
                 text_at(member, "/uid"),
                 text_at(member, "/data_size")) +
            (asked == true ? "  to be killed" : ""));
    }
}

/// Only the group of this name stays.
void keep_one(json& answer, const std::string& name) {
    json one = json::array();
    for (const json& group : array_at(answer, "/groups")) {
        if (text_at(group, "/name") == name) {
            one.push_back(group);
        }
    }
    answer["groups"] = std::move(one);
}

}  // namespace

Exit query_groups(const Invocation& invocation) {
    if (invocation.words.size() > 1) {
        return usage("query css groups takes one group at most");
    }
    Reply reply = query(invocation, {{"request", "groups"}});
    if (!reply.good()) {
        return reply.exit;
    }
    if (!invocation.words.empty()) {
        keep_one(reply.answer, invocation.words.front());
        if (array_at(reply.answer, "/groups").empty()) {
            return fail(invocation, "There is no group '" + invocation.words.front() + "'.");
        }
    }
    if (invocation.output == Output::kJson) {
        say(reply.answer.dump());
        return Exit::kDone;
    }
    for (const json& group : array_at(reply.answer, "/groups")) {
        show_group(group);
    }
    const std::size_t count = array_at(reply.answer, "/groups").size();
    const std::string state = text_at(reply.answer, "/state");
    say("Located " + std::to_string(count) + " group(s)." +
        (state == "none"
             ? " This node is no member of the cluster."
             : " Node " + text_at(reply.answer, "/sequencer") + " orders their events; " + state +
                   " at position " + text_at(reply.answer, "/position") + ", incarnation " +
                   text_at(reply.answer, "/incarnation") + "."));
    return Exit::kDone;
}

}  // namespace css::crsctl
