/* ops.h - operations and close codes of the client protocol (docs/protocol.md). */
#ifndef IMC_COMMON_PROTOCOL_OPS_H
#define IMC_COMMON_PROTOCOL_OPS_H

enum op {
    OP_HEARTBEAT = 2,
    OP_HEARTBEAT_REPLY = 3,
    OP_SEND = 4,
    OP_SEND_REPLY = 5, /* also the operation of an imgo push */
    OP_PUSH = 5,
    OP_DISCONNECT = 6,
    OP_AUTH = 7,
    OP_AUTH_REPLY = 8,
    OP_RAW = 9, /* goim, on WebSocket: the body holds frames of pushes */
    OP_CHANGE_ROOM = 12,
    OP_CHANGE_ROOM_REPLY = 13,
    OP_SUBSCRIBE = 14,
    OP_SUBSCRIBE_REPLY = 15,
    OP_UNSUBSCRIBE = 16,
    OP_UNSUBSCRIBE_REPLY = 17,
    OP_ACK = 18,
    OP_ACK_REPLY = 19, /* only to a frame of ACK_ANSWERED_VERSION */
    OP_JOIN = 20,
    OP_JOIN_REPLY = 21,
    OP_LEAVE = 22,
    OP_LEAVE_REPLY = 23,
    OP_TEST = 254,
    OP_TEST_REPLY = 255,
};

/* An acknowledgement (18) of this version is answered. */
enum { ACK_ANSWERED_VERSION = 2 };

/* Codes in the body of operation 6. On WebSocket the close code is 4000 plus this. */
enum close_code {
    CLOSE_NONE = 0,
    CLOSE_BAD_TOKEN = 1,
    CLOSE_HANDSHAKE_TIMEOUT = 2,
    CLOSE_MALFORMED = 3,
    CLOSE_BODY_TOO_LARGE = 4,
    CLOSE_REPLACED = 5,
    CLOSE_TOO_MANY_SESSIONS = 6,
    CLOSE_KICKED = 7,
    CLOSE_TOO_SLOW = 8,
    CLOSE_GOING_AWAY = 9,
    CLOSE_RATE_LIMITED = 10,
    CLOSE_HEARTBEAT_MISSED = 11,
    CLOSE_UNAVAILABLE = 12,
    CLOSE_UNKNOWN_OP = 13,
};

#endif
