// What a browser knows of the page and of the network. Where there is no page (Node) nothing is ever told.

/**
 * @typedef {object} PageEvents
 * @property {() => void} visible the page is seen again: its timers and its connections may have slept
 * @property {() => void} online
 * @property {() => void} offline
 */

/** Does the browser say that there is no network? */
export const isOffline = () => globalThis.navigator?.onLine === false;

/**
 * Returns what ends it.
 * @param {PageEvents} events
 * @returns {() => void}
 */
export function watchPage({ visible, online, offline }) {
    const { document, addEventListener } = globalThis;
    if (typeof document === 'undefined' || typeof addEventListener !== 'function')
        return () => {};
    const onVisibility = () => document.visibilityState === 'visible' && visible();
    /** @param {PageTransitionEvent} event */
    const onShow = (event) => event.persisted && visible(); // out of the back/forward cache
    document.addEventListener('visibilitychange', onVisibility);
    globalThis.addEventListener('pageshow', onShow);
    globalThis.addEventListener('online', online);
    globalThis.addEventListener('offline', offline);
    return () => {
        document.removeEventListener('visibilitychange', onVisibility);
        globalThis.removeEventListener('pageshow', onShow);
        globalThis.removeEventListener('online', online);
        globalThis.removeEventListener('offline', offline);
    };
}
