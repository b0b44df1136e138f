/// libcss: the membership and groups.

#include <cerrno>
#include <cstring>

#include "cssd/client/css.h"
#include "cssd/client/handle.h"

namespace {

using css::client::AnswerBuffer;
using css::client::get;
using css::client::Kind;
using css::client::MemberBody;
using css::client::MembershipBody;
using css::client::Question;

static_assert(CSS_NAME_MAX == css::client::kNameSizeMax);
static_assert(CSS_DATA_MAX == css::client::kDataSizeMax);

bool is_name(const char* group) {
    return group != nullptr && group[0] != '\0' && strnlen(group, CSS_NAME_MAX + 1) <= CSS_NAME_MAX;
}

void copy_name(char* to, const unsigned char* from) {
    std::memcpy(to, from, CSS_NAME_MAX + 1);
    to[CSS_NAME_MAX] = '\0';
}

/// False: the sizes do not fit together.
bool decode_membership(const unsigned char* at, std::size_t size, css_membership_t* to) {
    std::memset(to, 0, sizeof *to);
    if (size < MembershipBody::kSize) {
        return false;
    }
    to->incarnation = get<std::uint64_t>(at);
    to->self = get<std::uint32_t>(at + MembershipBody::kSelf);
    to->nodes = get<std::uint32_t>(at + MembershipBody::kNodes);
    to->departures = get<std::uint32_t>(at + MembershipBody::kDepartures);
    if (to->nodes > CSS_NODES_MAX || to->departures > CSS_NODES_MAX ||
        size != MembershipBody::kSize + to->nodes * MembershipBody::kNodeSize +
                    to->departures * MembershipBody::kDepartureSize) {
        return false;
    }
    at += MembershipBody::kSize;
    for (std::uint32_t i = 0; i < to->nodes; ++i, at += MembershipBody::kNodeSize) {
        css_node_t& node = to->node[i];
        node.number = get<std::uint32_t>(at);
        node.unique = get<std::uint32_t>(at + 4);
        node.since = get<std::uint64_t>(at + 8);
        copy_name(node.name, at + MembershipBody::kNodeName);
    }
    for (std::uint32_t i = 0; i < to->departures; ++i, at += MembershipBody::kDepartureSize) {
        css_departure_t& departure = to->departure[i];
        departure.number = get<std::uint32_t>(at);
        departure.unique = get<std::uint32_t>(at + 4);
        departure.reason = get<std::uint32_t>(at + 8);
        departure.incarnation = get<std::uint64_t>(at + 12);
        copy_name(departure.name, at + MembershipBody::kDepartureName);
    }
    return true;
}

int change_group(css_t* handle, const Question& question, std::int64_t timeout_ns) {
    return is_name(question.name) ? css::client::ask(handle, question, timeout_ns, nullptr)
                                  : -EINVAL;
}

}  // namespace

extern "C" int css_get_membership(css_t* handle, css_membership_t* membership) {
    if (membership == nullptr) {
        return -EINVAL;
    }
    // NOLINTNEXTLINE(modernize-avoid-c-arrays)
    unsigned char bytes[MembershipBody::kSize + CSS_NODES_MAX * MembershipBody::kNodeSize +
                        CSS_NODES_MAX * MembershipBody::kDepartureSize];
    AnswerBuffer answer{bytes, sizeof bytes, 0};
    const int status =
        css::client::ask(handle, {Kind::kMembership}, css::client::kPatience, &answer);
    if (status != 0) {
        return status;
    }
    return decode_membership(bytes, answer.size, membership) ? 0 : -EPROTO;
}

extern "C" int css_group_join(css_t* handle,
                              const char* group,
                              const void* data,
                              size_t size,
                              uint64_t* member,
                              int64_t timeout_ns) {
    if (!is_name(group)) {
        return -EINVAL;
    }
    unsigned char bytes[css::client::JoinBody::kSize];  // NOLINT(modernize-avoid-c-arrays)
    AnswerBuffer answer{bytes, sizeof bytes, 0};
    const int status =
        css::client::ask(handle, {Kind::kGroupJoin, group, 0, {data, size}}, timeout_ns, &answer);
    if (status == 0 && answer.size != sizeof bytes) {
        return -EPROTO;
    }
    if (status == 0 && member != nullptr) {
        *member = get<std::uint64_t>(bytes);
    }
    return status;
}

extern "C" int css_group_publish(
    css_t* handle, const char* group, const void* data, size_t size, int64_t timeout_ns) {
    return change_group(handle, {Kind::kGroupPublish, group, 0, {data, size}}, timeout_ns);
}

extern "C" int css_group_leave(css_t* handle, const char* group, int64_t timeout_ns) {
    return change_group(handle, {Kind::kGroupLeave, group}, timeout_ns);
}

extern "C" int css_group_kill(css_t* handle,
                              const char* group,
                              uint64_t member,
                              int64_t timeout_ns) {
    return change_group(handle, {Kind::kGroupKill, group, member}, timeout_ns);
}

namespace {

void decode_member(const unsigned char* at, css_member_t* to) {
    to->member = get<std::uint64_t>(at);
    to->node = get<std::uint32_t>(at + MemberBody::kNode);
    to->pid = get<std::uint32_t>(at + MemberBody::kPid);
    to->uid = get<std::uint32_t>(at + MemberBody::kUid);
    to->size = get<std::uint32_t>(at + MemberBody::kDataSize);
}

}  // namespace

extern "C" int css_group_members(css_t* handle,
                                 const char* group,
                                 css_member_t* members,
                                 size_t max,
                                 size_t* count,
                                 uint64_t* serial) {
    if (!is_name(group) || count == nullptr || (members == nullptr && max > 0)) {
        return -EINVAL;
    }
    const css::client::Pages pages{css::client::kAnswerSizeMax};
    if (pages.at() == nullptr) {
        return -ENOMEM;
    }
    AnswerBuffer answer{pages.at(), css::client::kAnswerSizeMax, 0};
    const int status =
        css::client::ask(handle, {Kind::kGroupMembers, group}, css::client::kPatience, &answer);
    constexpr std::size_t kSerialSize = 8;
    if (status != 0) {
        return status;
    }
    if (answer.size < kSerialSize || (answer.size - kSerialSize) % MemberBody::kSize != 0) {
        return -EPROTO;
    }
    *count = (answer.size - kSerialSize) / MemberBody::kSize;
    if (serial != nullptr) {
        *serial = get<std::uint64_t>(pages.at());
    }
    for (std::size_t i = 0; i < *count && i < max; ++i) {
        decode_member(pages.at() + kSerialSize + i * MemberBody::kSize, &members[i]);
    }
    return *count <= max ? 0 : -ENOSPC;
}

extern "C" int css_group_data(
    css_t* handle, const char* group, uint64_t member, void* data, size_t* size) {
    if (!is_name(group) || data == nullptr || size == nullptr) {
        return -EINVAL;
    }
    AnswerBuffer answer{static_cast<unsigned char*>(data), CSS_DATA_MAX, 0};
    const int status = css::client::ask(
        handle, {Kind::kGroupData, group, member}, css::client::kPatience, &answer);
    if (status == 0) {
        *size = answer.size;
    }
    return status;
}
