// Events of sessions, rooms and messages, as GET /v1/events has them: a call waits until there is one.
import { useEffect, useRef, useState } from "preact/hooks";
import { CallError, get, withQuery } from "./api";
import { clock, dateTime, lasting } from "./format";
import { link } from "./router";
import { Badge, Empty } from "./ui";

interface CloudEvent {
  id?: string;
  type?: string;
  subject?: string;
  time?: string;
  data?: Record<string, unknown>;
}
interface Answer {
  events: CloudEvent[];
  next: string;
  gap: boolean;
  why?: string;
}
export interface Shown {
  n: number; // in the order in which they came
  ms: number;
  thing: string; // session, room, message
  what: string;
  uid: string;
  data: Record<string, unknown>;
}
export interface Events {
  events: Shown[]; // the newest first
  loaded: boolean; // what was there before has come
  told: boolean; // false: the cluster tells no events
  gap: boolean;
  why: string;
  error?: unknown;
}

const WAIT_S = 15;
const PAUSE_MS = 500; // so many events come in one answer that a busy cluster needs no more
const AGAIN_MS = 3000;
const KEPT = 500;
const nothing: Events = { events: [], loaded: false, told: true, gap: false, why: "" };

let numbered = 0;

function shown(event: CloudEvent): Shown {
  const [thing = "", what = ""] = String(event.type ?? "").replace(/^io\.imc\./, "").split(".");
  const at = Date.parse(event.time ?? "");
  return {
    n: ++numbered,
    ms: Number.isNaN(at) ? 0 : at,
    thing: what ? thing : "",
    what: what || String(event.type ?? "no CloudEvent"),
    uid: String(event.subject ?? ""),
    data: event.data && typeof event.data === "object" ? event.data : {},
  };
}

/** Those that fit UID and TYPES ("": all), the last ones before and what comes. A tab that nobody sees asks nothing. */
export function useEvents({ uid = "", types = "", paused = false }: { uid?: string; types?: string; paused?: boolean }): Events {
  const [state, set] = useState<Events>(nothing);
  const next = useRef("recent");
  useEffect(() => {
    next.current = "recent";
    set(nothing);
  }, [uid, types]);
  useEffect(() => {
    if (paused) return undefined;
    let ended = false;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      if (document.hidden) {
        timer = setTimeout(ask, AGAIN_MS);
        return;
      }
      let pause = PAUSE_MS;
      try {
        const answer = await get<Answer>(withQuery("/v1/events", { after: next.current, wait: WAIT_S, limit: KEPT, uid, types }));
        if (ended) return;
        next.current = answer.next;
        if (answer.why) pause = AGAIN_MS;
        set((old) => ({
          events: answer.events.map(shown).reverse().concat(old.events).slice(0, KEPT),
          loaded: old.loaded || answer.next !== "recent",
          told: true,
          gap: old.gap || answer.gap,
          why: answer.why ?? "",
        }));
      } catch (error) {
        if (ended) return;
        pause = AGAIN_MS;
        const absent = error instanceof CallError && error.status === 404;
        set((old) => ({ ...old, told: !absent, error: absent ? undefined : error }));
        if (absent || (error instanceof CallError && (error.status === 401 || error.status === 403))) return;
      }
      timer = setTimeout(ask, pause);
    };
    void ask();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [uid, types, paused]);
  return state;
}

const good = ["connected", "delivered", "acknowledged"];
const bad = ["expired"];
const elsewhere = ["comet", "session", "address", "room", "reason", "durationms", "devicekey", "code", "message"];

function Row({ one, ofUser }: { one: Shown; ofUser: boolean }) {
  const { data } = one;
  const text = (name: string) => (data[name] === undefined ? "" : String(data[name]));
  const more = Object.entries(data)
    .filter(([name]) => !elsewhere.includes(name))
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  const duration = Number(data.durationms);
  return (
    <tr>
      <td class="left time" title={one.ms ? new Date(one.ms).toISOString() : undefined}>{one.ms ? (ofUser ? dateTime(one.ms) : clock(one.ms)) : "–"}</td>
      <td><Badge tone={good.includes(one.what) ? "ok" : bad.includes(one.what) ? "warn" : "plain"}>{one.what}</Badge></td>
      {!ofUser && <td data-label="User">{one.uid ? <a href={link("user", one.uid)}>{one.uid}</a> : "–"}</td>}
      <td data-label="Comet" class={text("comet") ? "name" : "none"} title={text("comet")}>{text("comet") ? <a href={link("daemons", "comet", text("comet"))}>{text("comet")}</a> : "–"}</td>
      <td data-label="Room" class={text("room") ? "breaks" : "none"}>{text("room") ? <a href={link("room", text("room"))}>{text("room")}</a> : "–"}</td>
      <td class="breaks">
        {text("message") && <><a href={link("message", text("message"), ...(one.uid ? [one.uid] : []))}>{text("message")}</a> </>}
        {[
          text("reason") && `${text("reason")}${text("code") ? ` (code ${text("code")})` : ""}`,
          Number.isFinite(duration) && `after ${lasting(duration / 1000)}`,
          text("address"),
          text("devicekey") && `key ${text("devicekey")}`,
          ...more,
        ].filter(Boolean).join(" · ")}
      </td>
    </tr>
  );
}

/** OFUSER: all are of one user. */
export function EventsTable({ events, ofUser = false }: { events: Shown[]; ofUser?: boolean }) {
  return (
    <table class="cards events" aria-live="off">
      <thead>
        <tr>
          <th scope="col">Time</th><th scope="col">What</th>{!ofUser && <th scope="col">User</th>}<th scope="col">Comet</th>
          <th scope="col">Room</th><th scope="col">More</th>
        </tr>
      </thead>
      <tbody>{events.map((one) => <Row key={one.n} one={one} ofUser={ofUser} />)}</tbody>
    </table>
  );
}

export const NotTold = () => (
  <Empty title="No events are told">
    Set <code>events.log</code> in every logic.ini and job.ini, and <code>events.topic</code> in both, and restart them:
    docs/events.md has the steps.
  </Empty>
);
