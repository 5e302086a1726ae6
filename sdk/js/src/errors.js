// What can go wrong, as classes: one for each code of operation 6 (docs/protocol.md), and those that arise here.

/** @typedef {{ code?: number, fatal?: boolean, cause?: unknown }} ImcErrorOptions */

/** The base of all errors of this package. */
export class ImcError extends Error {
    /**
     * @param {string} message
     * @param {ImcErrorOptions} [options]
     */
    constructor(message, { code = 0, fatal = false, cause } = {}) {
        super(message);
        this.name = new.target.name;
        /** Code of operation 6; 0: it arose here. */
        this.code = code;
        /** The client does not connect again by itself. */
        this.fatal = fatal;
        if (cause !== undefined)
            this.cause = cause;
    }
}

// --- what comet says ---

/** Code 1: the token is unknown, expired or revoked. */
export class TokenError extends ImcError {}
/** Code 2: no auth came in time. */
export class HandshakeTimeoutError extends ImcError {}
/** Codes 3 and 13, or comet sent what is no frame: one of the two programs is wrong. */
export class ProtocolError extends ImcError {}
/** Code 4: a body was too large. */
export class BodyTooLargeError extends ImcError {}
/** Code 5: a newer session took this one's place. */
export class ReplacedError extends ImcError {}
/** Code 6: the user has too many sessions. */
export class TooManySessionsError extends ImcError {}
/** Code 7: the business refuses this client for a time. */
export class KickedError extends ImcError {}
/** Code 8: this client read too slowly. */
export class TooSlowError extends ImcError {}
/** Code 9: comet is going away. */
export class GoingAwayError extends ImcError {}
/** Code 10: too many frames, bytes, rooms or operations. */
export class RateLimitedError extends ImcError {}
/** Code 11: comet heard nothing for too long. */
export class HeartbeatMissedError extends ImcError {}
/** Code 12: the cluster cannot serve this client now. */
export class UnavailableError extends ImcError {}

// --- what arises here ---

/** The connection was lost, or never made. What was sent and not answered may have arrived. */
export class ConnectionLostError extends ImcError {}
/** No answer came in time. */
export class TimeoutError extends ImcError {}
/** The client was closed by close(). */
export class ClosedError extends ImcError {}
/** More requests wait for a session than option maxWaiting allows. */
export class OverflowError extends ImcError {}
/** No list of addresses could be had. */
export class NodesError extends ImcError {}
/** A handler of 'message' failed. */
export class HandlerError extends ImcError {}

/** @typedef {typeof ImcError} ErrorClass */

/** @type {Readonly<Record<number, { make: ErrorClass, meaning: string }>>} */
const CODES = Object.freeze({
    1: { make: TokenError, meaning: 'unknown, expired or revoked token' },
    2: { make: HandshakeTimeoutError, meaning: 'no auth in time' },
    3: { make: ProtocolError, meaning: 'malformed frame' },
    4: { make: BodyTooLargeError, meaning: 'body too large' },
    5: { make: ReplacedError, meaning: 'replaced by a newer session' },
    6: { make: TooManySessionsError, meaning: 'too many sessions of this user' },
    7: { make: KickedError, meaning: 'refused by the business' },
    8: { make: TooSlowError, meaning: 'too slow' },
    9: { make: GoingAwayError, meaning: 'server going away' },
    10: { make: RateLimitedError, meaning: 'rate limited' },
    11: { make: HeartbeatMissedError, meaning: 'heartbeat missed' },
    12: { make: UnavailableError, meaning: 'service unavailable' },
    13: { make: ProtocolError, meaning: 'unknown operation' },
});

// Another try would end in the same way: the program is wrong (3, 13), or somebody has decided so (5, 6, 7).
const FATAL = new Set([3, 5, 6, 7, 13]);

/**
 * The error for CODE of operation 6. A code that is not known is no reason to stay away.
 * @param {number} code
 * @param {string} reason
 * @param {boolean} [fatal] default: what CODE says
 */
export function errorOfCode(code, reason, fatal = FATAL.has(code)) {
    const { make, meaning } = CODES[code] ?? { make: ImcError, meaning: `code ${code}` };
    return new make(reason || meaning, { code, fatal });
}
