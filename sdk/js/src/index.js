// imc's client for browsers and Node: docs/protocol.md, README.md.
export { Client } from './client.js';
export { Message } from './message.js';
export {
    BodyTooLargeError, ClosedError, ConnectionLostError, GoingAwayError, HandlerError, HandshakeTimeoutError,
    HeartbeatMissedError, ImcError, KickedError, NodesError, OverflowError, ProtocolError, RateLimitedError,
    ReplacedError, TimeoutError, TokenError, TooManySessionsError, TooSlowError, UnavailableError,
} from './errors.js';

/** @typedef {import('./client.js').ClientOptions} ClientOptions */
/** @typedef {import('./client.js').ClientEvents} ClientEvents */
/** @typedef {import('./client.js').State} State */
/** @typedef {import('./nodes.js').WeightedNodes} WeightedNodes */
