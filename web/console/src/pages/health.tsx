// What is not well, the causes first: what all daemons need, who is gone, and then what follows from that.
import type { ComponentChildren } from "preact";
import { column, conditionsOf, heardAt, stateOf, useCluster, useTroubles, wasStopping, type Answer, type Daemon, type Kind, type Refusal, type Series } from "../cluster";
import { clock, count, dateTime, lasting, micros } from "../format";
import { link } from "../router";
import { Badge } from "../ui";

const kinds: Kind[] = ["comet", "logic", "router", "job"];
const BEHIND_MS = 5000;
const LATELY_SLOTS = 12; // a minute: a single slot jumps
const MUCH_REFUSED = 50; // calls of a key within five minutes
const FEW_ENDED = 1e-4; // of all sessions: a large cluster always has some slow readers
const SOON_S = 14 * 86400; // as docs/operations.md has it
const NAMED = 6;

/** The mean of the last minute. */
export function lately(values: (number | null)[]): number | null {
  const some = values.slice(-LATELY_SLOTS).filter((value): value is number => value !== null);
  return some.length ? some.reduce((a, b) => a + b, 0) / some.length : null;
}

function Names({ all }: { all: { kind: string; id: string; n?: number }[] }) {
  return (
    <>
      {all.slice(0, NAMED).map((one, i) => (
        <span key={`${one.kind}/${one.id}`}>
          {i > 0 && ", "}
          <a href={link("daemons", one.kind, one.id)}>{one.kind} {one.id}</a>
          {one.n !== undefined && `: ${count(one.n)}`}
        </span>
      ))}
      {all.length > NAMED && <>, <a href={link("daemons")}>and {all.length - NAMED} more</a></>}
    </>
  );
}

const Line = ({ tone, badge, children }: { tone: "away" | "warn" | "plain"; badge: string; children: ComponentChildren }) => (
  <li><Badge tone={tone}>{badge}</Badge> {children}</li>
);

// --- conditions

/** Conditions of /readyz in words, causes before what follows from them. */
const titles: Record<string, string> = {
  bus: "Kafka",
  redis: "Redis",
  redis_write: "Writes to Redis",
  lease: "Lease",
  clock: "Clock",
  memory: "Memory",
  rpc: "gRPC",
  partitions: "Partitions",
  events: "Events",
  storing: "Storing",
  upstream: "Upstream",
  running: "Running",
  drain: "Draining",
  router: "Routers",
  jobs: "Jobs",
  job: "Jobs",
  logic: "Logics",
  clients: "Clients",
};
const shared = ["bus", "redis", "redis_write"]; // what no daemon of ours is to blame for
const order = Object.keys(titles);
const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : shared.length);

interface Failing {
  name: string;
  whys: Map<string, Daemon[]>;
}

/** What does not hold, each condition once, with each reason and whose it is. SKIPS: what is told elsewhere. */
function failing(daemons: Daemon[], skips: (daemon: Daemon, name: string) => boolean): Failing[] {
  const all = new Map<string, Failing>();
  for (const daemon of daemons) {
    for (const one of conditionsOf(daemon)) {
      if (one.holds || skips(daemon, one.name)) continue;
      const found = all.get(one.name) ?? { name: one.name, whys: new Map<string, Daemon[]>() };
      all.set(one.name, found);
      found.whys.set(one.why, [...(found.whys.get(one.why) ?? []), daemon]);
    }
  }
  return [...all.values()].sort((a, b) => rank(a.name) - rank(b.name));
}

function ConditionLine({ one }: { one: Failing }) {
  const whys = [...one.whys];
  return (
    <Line tone={shared.includes(one.name) ? "away" : "warn"} badge={titles[one.name] ?? one.name}>
      {whys.slice(0, 3).map(([why, daemons], i) => (
        <span key={why}>{i > 0 && "; "}{why}: <Names all={daemons} /></span>
      ))}
      {whys.length > 3 && `; and ${whys.length - 3} other reasons`}
    </Line>
  );
}

const lacksFor = (daemon: Daemon, use: string) =>
  conditionsOf(daemon).some((one) => !one.holds && one.needs.includes(use));
const lets = (daemon: Daemon) =>
  !conditionsOf(daemon).some((one) => one.name === "logic" && !one.holds && one.why.startsWith("no logic can let"));

// --- who is gone

function GoneLine({ answer, one }: { answer: Answer; one: Daemon }) {
  const since = clock(heardAt(answer, one));
  const long = lasting((one.heard_ms ?? 0) / 1000);
  const who = <a href={link("daemons", one.kind, one.id)}>{one.kind} {one.id}</a>;
  if (!one.gone)
    return <Line tone="away" badge="does not answer">{who} since {since}, {long} ago: it hangs, or does not reach this logic. It still has its lease.</Line>;
  return (
    <Line tone="away" badge="gone">
      {who} since {since}, {long} ago: it hangs, was killed, or lost Redis; docs/operations.md, ImcDaemonDown, says where to look.
    </Line>
  );
}

const StoppedLine = ({ answer, all }: { answer: Answer; all: Daemon[] }) => (
  <Line tone="plain" badge="Stopped">
    within the last hour, because somebody told them to: {all.slice(0, NAMED).map((one, i) => (
      <span key={`${one.kind}/${one.id}`}>{i > 0 && ", "}<a href={link("daemons", one.kind, one.id)}>{one.kind} {one.id}</a> at {clock(heardAt(answer, one))}</span>
    ))}
    {all.length > NAMED && <>, <a href={link("daemons")}>and {all.length - NAMED} more</a></>}
  </Line>
);

// --- refusals, sessions that ended, certificates

const sumOf = (all: Refusal[]) => all.reduce((sum, one) => sum + one.lately, 0);
const mostFirst = (all: Refusal[]) => [...all].sort((a, b) => b.lately - a.lately).map((one) => ({ kind: one.kind, id: one.id, n: one.lately }));

const ended: { reason: string; text: string }[] = [
  { reason: "too_slow", text: "sessions ended, because they did not take messages as fast as they came" },
  { reason: "unavailable", text: "sessions ended, because no logic answered for them, Kafka or the business did not take what they sent, or messages to rooms may have been missed" },
];

function troublesOf(refusals: Refusal[], sessions: number): ComponentChildren[] {
  const lines: ComponentChildren[] = [];
  for (const { reason, text } of ended) {
    const all = refusals.filter((one) => !one.key && one.lately > 0 && one.name === `imc_comet_kicked_total{reason="${reason}"}`);
    if (sumOf(all) > sessions * FEW_ENDED)
      lines.push(<Line key={reason} tone="warn" badge={reason}>{count(sumOf(all))} {text}, within 5 minutes: <Names all={mostFirst(all)} /></Line>);
  }
  const wrong = refusals.filter((one) => !one.key && one.name === 'imc_logic_refused_total{reason="key"}');
  if (sumOf(wrong) >= MUCH_REFUSED)
    lines.push(<Line key="wrong" tone="warn" badge="Wrong key">{count(sumOf(wrong))} calls with none or a wrong one within 5 minutes: <Names all={mostFirst(wrong)} /></Line>);
  for (const key of new Set(refusals.map((one) => one.key ?? "").filter(Boolean))) {
    const all = refusals.filter((one) => one.key === key);
    if (sumOf(all) < MUCH_REFUSED) continue;
    const reasons = new Map<string, number>();
    for (const one of all) reasons.set(one.name, (reasons.get(one.name) ?? 0) + one.lately);
    const said = [...reasons].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${count(n)}`).join(", ");
    lines.push(
      <Line key={`key ${key}`} tone="warn" badge="Refused">
        key {key}: {count(sumOf(all))} calls within 5 minutes ({said}); <a href={link("limits")}>Limits</a> says why
      </Line>,
    );
  }
  return lines;
}

/** Those that expire soon, each once, with whose they are. */
function certificatesOf(answer: Answer, daemons: Daemon[]): ComponentChildren[] {
  const all = new Map<string, { file: string; expires: number; of: Daemon[] }>();
  for (const daemon of daemons) {
    for (const { file, expires } of daemon.certificates ?? []) {
      const id = `${expires} ${file}`;
      const found = all.get(id) ?? { file, expires, of: [] };
      if (!found.of.includes(daemon)) found.of.push(daemon);
      all.set(id, found);
    }
  }
  const now = answer.now_ms / 1000;
  return [...all.values()]
    .filter((one) => one.expires - now < SOON_S)
    .sort((a, b) => a.expires - b.expires)
    .map((one) => (
      <Line key={`${one.expires} ${one.file}`} tone={one.expires <= now ? "away" : "warn"} badge="Certificate">
        <code>{one.file}</code> {one.expires <= now ? `expired ${lasting(now - one.expires)} ago` : `expires in ${lasting(one.expires - now)}`},{" "}
        {dateTime(one.expires * 1000)}: <Names all={one.of} />. Put a new one into the file, then send SIGHUP.
      </Line>
    ));
}

// --- all of it

function linesOf(answer: Answer, totals: Series, refusals: Refusal[]): ComponentChildren[] {
  const silent = answer.daemons.filter((one) => stateOf(one).state === "away");
  const alive = answer.daemons.filter((one) => !one.gone);
  const heard = alive.filter((one) => !one.away);
  const refusing = heard.filter((one) => one.kind === "logic" && lacksFor(one, "push"));
  const admits = !heard.some((one) => one.kind === "logic" && lacksFor(one, "connect"));
  const closed = admits ? [] : heard.filter((one) => one.kind === "comet" && !lets(one));
  const all = failing(heard, (daemon, name) => name === "logic" && closed.includes(daemon));
  const last = (name: string) => column(answer, totals, name).at(-1) ?? 0;
  const errors = lately(column(answer, totals, "errors")) ?? 0;
  const backlog = last("backlog_ms");
  return [
    ...kinds
      .filter((kind) => !alive.some((one) => one.kind === kind))
      .map((kind) => <Line key={kind} tone="away" badge={`No ${kind}`}>None is a member of this cluster.</Line>),
    ...all.filter((one) => shared.includes(one.name)).map((one) => <ConditionLine key={one.name} one={one} />),
    ...silent.slice(0, NAMED).map((one) => <GoneLine key={`${one.kind}/${one.id}`} answer={answer} one={one} />),
    silent.length > NAMED && <li key="silent"><a href={link("daemons")}>and {silent.length - NAMED} more that are gone</a></li>,
    ...all.filter((one) => !shared.includes(one.name)).map((one) => <ConditionLine key={one.name} one={one} />),
    closed.length > 0 && <Line key="closed" tone="warn" badge="Therefore">comets let nobody in: <Names all={closed} /></Line>,
    refusing.length > 0 && <Line key="refusing" tone="warn" badge="Therefore">logics do not take pushes: <Names all={refusing} /></Line>,
    !answer.takes_pushes && <Line key="pushes" tone="away" badge="Pushes refused">{answer.why}</Line>,
    backlog >= BEHIND_MS && <Line key="behind" tone="warn" badge="Behind">What jobs read now waits in Kafka for {micros(backlog * 1000)}.</Line>,
    errors > 0 && (
      <Line key="errors" tone="warn" badge="Errors">
        {count(Math.max(1, Math.round(errors * 60)))} within the last minute: calls that ended with 5xx, messages that Kafka did not take or
        that could not be stored, connects that failed. <a href={link("limits")}>Limits</a> has some of them by counter.
      </Line>
    ),
    ...troublesOf(refusals, last("sessions")),
    ...certificatesOf(answer, heard),
  ].filter(Boolean);
}

export function Health({ answer }: { answer: Answer }) {
  useTroubles();
  const { totals, refusals, problem } = useCluster();
  const lines = linesOf(answer, totals, refusals ?? []);
  if (problem !== "" && lines.length === 0) return null; // nobody knows, as the page says above
  if (refusals === null && lines.length === 0) return <p class="sub">Looking…</p>;
  const stopped = answer.daemons.filter((one) => one.gone && wasStopping(one));
  return (
    <ul class="health">
      {lines.length > 0 ? lines : (
        <li><Badge tone="ok">All well</Badge> Every daemon answers and is ready, pushes are taken, and nobody is refused much.</li>
      )}
      {stopped.length > 0 && <StoppedLine answer={answer} all={stopped} />}
    </ul>
  );
}
