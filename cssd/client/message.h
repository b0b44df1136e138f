#pragma once

#include <cstddef>
#include <cstdint>

/// What a client and the daemon say to each other at run_dir/client.sock: SEQPACKET datagrams,
/// little-endian. A header of 16 bytes: magic u32, version u16, kind u16, status i32 (0 or a
/// negative errno, in answers), size u32 of the body that follows it. Used by libcss too: nothing
/// here needs the C++ library.
namespace css::client {

inline constexpr std::size_t kMessageSize = 16;             ///< Of the header.
inline constexpr std::uint32_t kMessageMagic = 0x43535343;  // "CSSC"
inline constexpr std::uint16_t kMessageVersion = 1;

enum class Kind : std::uint16_t {
    kHello = 1,       ///< First. Answer: welcome.
    kWelcome = 2,     ///< With the lease page, read only, as descriptor.
    kRegister = 3,    ///< With a pidfd of the sender. Answer: registered.
    kRegistered = 4,  ///< status 0: guarded from now on.
    kUnregister = 5,  ///< Of the process or of the cgroup. Answer: unregistered.
    kUnregistered = 6,
    /// With a descriptor of a cgroup's directory: this whole cgroup is the client. Answer:
    /// registered. ClientServer checks what it is and whose; the guardians freeze and kill it.
    kRegisterCgroup = 7,

    // Each has a QuestionBody and is answered by kAnswer with the same number. A client that has
    // stopped waiting knows a late answer by that.
    kGroupJoin = 8,      ///< Name and data. Answer: JoinBody.
    kGroupPublish = 9,   ///< Name and data. Answer: no more than the number.
    kGroupLeave = 10,    ///< Name. The same.
    kGroupKill = 11,     ///< Name and member. The same.
    kGroupMembers = 12,  ///< Name. Answer: serial u64, then a MemberBody each.
    kGroupData = 13,     ///< Name and member. Answer: its data.
    kMembership = 14,    ///< Answer: the membership (membership.h of the server writes it).
    kEvents = 15,        ///< With one end of a pair of SEQPACKET sockets: events go there.
    kAnswer = 16,        ///< Number u64, then what the question's kind says.

    kEvent = 17,  ///< On the socket of kEvents: EventBody, then data.
};
inline constexpr std::uint32_t kKindMax = 17;

struct Message {
    Kind kind = Kind::kHello;
    std::int32_t status = 0;
    std::size_t body = 0;  ///< Its size.
};

struct MessageBytes {
    unsigned char at[kMessageSize] = {};  // NOLINT(modernize-avoid-c-arrays)
};

template <class Integer>
inline void put(unsigned char* at, Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        at[i] = static_cast<unsigned char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xFF);
    }
}

template <class Integer>
inline Integer get(const unsigned char* at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        value |= std::uint64_t{at[i]} << (8 * i);
    }
    return static_cast<Integer>(value);
}

inline MessageBytes encode(Kind kind, std::int32_t status, std::size_t body = 0) {
    MessageBytes bytes;
    put(bytes.at + 0, kMessageMagic);
    put(bytes.at + 4, kMessageVersion);
    put(bytes.at + 6, static_cast<std::uint16_t>(kind));
    put(bytes.at + 8, static_cast<std::uint32_t>(status));
    put(bytes.at + 12, static_cast<std::uint32_t>(body));
    return bytes;
}

/// `size` is that of the whole datagram. False: not a message of this version.
inline bool decode(const MessageBytes& bytes, std::size_t size, Message& message) {
    const auto kind = get<std::uint16_t>(bytes.at + 6);
    message.kind = static_cast<Kind>(kind);
    message.status = static_cast<std::int32_t>(get<std::uint32_t>(bytes.at + 8));
    message.body = get<std::uint32_t>(bytes.at + 12);
    return size >= kMessageSize && size - kMessageSize == message.body &&
           get<std::uint32_t>(bytes.at + 0) == kMessageMagic &&
           get<std::uint16_t>(bytes.at + 4) == kMessageVersion && kind >= 1 && kind <= kKindMax;
}

// ---------------------------------------------------------------------------------- bodies
// Sizes and offsets; each field at its offset, little-endian.

inline constexpr std::size_t kNameSizeMax = 63;
inline constexpr std::size_t kDataSizeMax = 4096;

/// Number u64, member u64, size of the name u8, the name, then the data up to the end.
struct QuestionBody {
    static constexpr std::size_t kMember = 8;
    static constexpr std::size_t kNameSize = 16;
    static constexpr std::size_t kName = 17;
    static constexpr std::size_t kSizeMax = kName + kNameSizeMax + kDataSizeMax;
};
inline constexpr std::size_t kAnswerNumberSize = 8;
/// Member u64, serial u64.
struct JoinBody {
    static constexpr std::size_t kSize = 16;
};
/// Member u64, node u32, process u32, user u32, size of its data u32.
struct MemberBody {
    static constexpr std::size_t kNode = 8;
    static constexpr std::size_t kPid = 12;
    static constexpr std::size_t kUid = 16;
    static constexpr std::size_t kDataSize = 20;
    static constexpr std::size_t kSize = 24;
};
/// Type u32 and reason u32 as in css.h, node u32, process u32, incarnation u64, serial u64, member
/// u64, missed u64, the name with zeros up to 64 bytes; then the data up to the end.
struct EventBody {
    static constexpr std::size_t kReason = 4;
    static constexpr std::size_t kNode = 8;
    static constexpr std::size_t kPid = 12;
    static constexpr std::size_t kIncarnation = 16;
    static constexpr std::size_t kSerial = 24;
    static constexpr std::size_t kMember = 32;
    static constexpr std::size_t kMissed = 40;
    static constexpr std::size_t kName = 48;
    static constexpr std::size_t kSize = 112;
    static constexpr std::size_t kSizeMax = kSize + kDataSizeMax;
};
/// Incarnation u64, own node u32, how many nodes u32, how many departures u32; then a node each:
/// number u32, unique u32, since u64, name; and a departure each: number u32, unique u32, reason
/// u32, incarnation u64, name. A name has 64 bytes with zeros at its end.
struct MembershipBody {
    static constexpr std::size_t kSelf = 8;
    static constexpr std::size_t kNodes = 12;
    static constexpr std::size_t kDepartures = 16;
    static constexpr std::size_t kSize = 20;
    static constexpr std::size_t kNodeName = 16;
    static constexpr std::size_t kNodeSize = kNodeName + 64;
    static constexpr std::size_t kDepartureName = 20;
    static constexpr std::size_t kDepartureSize = kDepartureName + 64;
};
/// Answers to a question: the list of the largest group.
inline constexpr std::size_t kAnswerSizeMax = kAnswerNumberSize + 8 + 4096 * MemberBody::kSize;
static_assert(kAnswerSizeMax > MembershipBody::kSize + 64 * MembershipBody::kNodeSize +
                                   64 * MembershipBody::kDepartureSize);

}  // namespace css::client
