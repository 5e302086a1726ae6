// The state of the cluster, polled: one request every five seconds, whatever page is open.
import { useEffect, useState } from "preact/hooks";
import { CallError, get, withQuery } from "./api";

export type Kind = "comet" | "logic" | "router" | "job";

export interface Daemon {
  kind: Kind;
  id: string;
  region?: string;
  zone?: string;
  address?: string;
  takes_clients?: boolean;
  clients?: number;
  weight?: number;
  heard_ms?: number; // absent: it has not reported
  away?: boolean;
  gone?: boolean;
  started?: number;
  memory_limit?: number;
  version?: string;
  ready?: string;
  now?: number[];
  line?: (number | null)[];
  certificates?: { file: string; expires: number }[]; // the first to expire first
}

export interface Setting {
  name: string;
  value: string;
  default: string;
  changed: boolean;
}

export interface Refusal {
  name: string; // of the counter; with KEY the reason
  key?: string; // the name of the API key
  kind: Kind;
  id: string;
  total: number;
  lately: number;
}

/** What a logic pushed to rooms within a minute. FULL: to others, too, but less. */
export interface RoomPushes {
  id: string;
  full: boolean;
  rooms: { room: string; pushes: number }[];
}

type Row = number[] | null;

export interface Answer {
  now_ms: number;
  step_ms: number;
  slots: number;
  slot: number;
  fresh: boolean;
  takes_pushes: boolean;
  events: boolean;
  why: string;
  logic: string;
  version: string;
  series: { name: string; kind: "sum" | "count" | "most" }[];
  from: number;
  rows: Row[];
  daemons: Daemon[];
  daemon?: { kind: Kind; id: string; rows: Row[]; settings: Setting[] };
  refusals?: Refusal[];
  lately_s?: number;
  rooms?: RoomPushes[];
}

/** The last hour: ROWS[0] is of slot FIRST. */
export interface Series {
  first: number;
  rows: Row[];
}

export interface Cluster {
  answer: Answer | null; // null: nothing has come yet
  totals: Series;
  own: Series; // of the daemon that is looked at
  settings: Setting[];
  refusals: Refusal[] | null;
  rooms: RoomPushes[] | null;
  problem: string; // why the last request failed; "": it did not
  problem_since: number;
}

const empty = (): Series => ({ first: 0, rows: [] });

let cluster: Cluster = {
  answer: null,
  totals: empty(),
  own: empty(),
  settings: [],
  refusals: null,
  rooms: null,
  problem: "",
  problem_since: 0,
};
let daemonWanted = "";
let daemonTold = ""; // of this one the whole hour has come
let refusalsWanted = 0;
let troublesWanted = 0; // only those refusals that say that something is not well
let roomsWanted = 0;
let running = false;
let round = 0; // an answer to a request of an earlier round is of no use
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function tell(): void {
  listeners.forEach((listener) => listener());
}

/** SERIES with ROWS, that begin at slot FROM; no more than SLOTS. */
export function extended(series: Series, from: number, rows: Row[], slots: number): Series {
  if (rows.length === 0) return series;
  const fits = series.rows.length > 0 && series.first + series.rows.length === from;
  const all = fits ? series.rows.concat(rows) : rows;
  const first = fits ? series.first : from;
  const over = Math.max(0, all.length - slots);
  return { first: first + over, rows: all.slice(over) };
}

const lastSlot = (series: Series) => (series.rows.length ? series.first + series.rows.length - 1 : 0);

function take(answer: Answer): void {
  const own = answer.daemon;
  cluster = {
    answer,
    totals: extended(cluster.totals, answer.from, answer.rows, answer.slots),
    own: own ? extended(cluster.own, answer.from, own.rows, answer.slots) : cluster.own,
    settings: own ? own.settings : cluster.settings,
    refusals: answer.refusals ?? cluster.refusals,
    rooms: answer.rooms ?? cluster.rooms,
    problem: "",
    problem_since: 0,
  };
}

/** Until the next slot has settled. */
function pause(answer: Answer | null): number {
  if (answer === null || cluster.problem) return 3000;
  const behind = answer.now_ms % answer.step_ms;
  return Math.max(1000, answer.step_ms - behind + 1600 - (behind < 1600 ? answer.step_ms : 0));
}

async function poll(): Promise<void> {
  const mine = ++round;
  clearTimeout(timer);
  const anew = daemonWanted !== "" && daemonWanted !== daemonTold;
  const since = anew ? 0 : lastSlot(cluster.totals);
  try {
    const answer = await get<Answer>(
      withQuery("/console/state", {
        since,
        daemon: daemonWanted,
        refusals: refusalsWanted ? "yes" : troublesWanted ? "telling" : undefined,
        rooms: roomsWanted ? "yes" : undefined,
      }),
    );
    if (mine !== round || !running) return;
    if (since === 0) cluster.totals = empty();
    if (anew) daemonTold = daemonWanted;
    take(answer);
  } catch (error) {
    if (mine !== round || !running) return;
    if (error instanceof CallError && error.status === 401) return;
    const problem = error instanceof Error ? error.message : String(error);
    cluster = { ...cluster, problem, problem_since: cluster.problem_since || Date.now() };
  }
  tell();
  schedule();
}

function schedule(): void {
  clearTimeout(timer);
  if (running && !document.hidden) timer = setTimeout(() => void poll(), pause(cluster.answer));
}

export function pollNow(): void {
  if (running) void poll();
}

export function startPolling(): void {
  if (running) return;
  running = true;
  document.addEventListener("visibilitychange", seen);
  void poll();
}

export function stopPolling(): void {
  running = false;
  round++;
  clearTimeout(timer);
  document.removeEventListener("visibilitychange", seen);
  cluster = { ...cluster, answer: null, totals: empty(), own: empty(), settings: [], refusals: null, rooms: null, problem: "" };
}

/** A page that nobody sees asks nothing. */
function seen(): void {
  if (document.hidden) clearTimeout(timer);
  else void poll();
}

export function useCluster(): Cluster {
  const [, set] = useState(0);
  useEffect(() => {
    const listener = () => set((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return cluster;
}

/** While the caller is on the page, answers have the series and settings of this daemon. */
export function useDaemon(kind: string, id: string): void {
  useEffect(() => {
    daemonWanted = `${kind}/${id}`;
    daemonTold = "";
    cluster = { ...cluster, own: empty(), settings: [] };
    pollNow();
    return () => {
      daemonWanted = daemonTold = "";
      cluster = { ...cluster, own: empty(), settings: [] };
    };
  }, [kind, id]);
}

export function useRefusals(): void {
  useEffect(() => {
    refusalsWanted++;
    pollNow();
    return () => void refusalsWanted--;
  }, []);
}

/** As useRefusals(), but only of the last minutes, and only those that tell of trouble. */
export function useTroubles(): void {
  useEffect(() => {
    troublesWanted++;
    pollNow();
    return () => void troublesWanted--;
  }, []);
}

export function useRoomPushes(): void {
  useEffect(() => {
    roomsWanted++;
    pollNow();
    return () => void roomsWanted--;
  }, []);
}

/** Messages to each room within the last minute, of all logics; the most first. */
export function pushesToRooms(rooms: RoomPushes[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const logic of rooms) for (const { room, pushes } of logic.rooms) sums.set(room, (sums.get(room) ?? 0) + pushes);
  return new Map([...sums].sort((a, b) => b[1] - a[1]));
}

/** A daemon says that something took no time if there was nothing to be measured. */
const measured = (name: string, value: number): number | null => (value === 0 && name.endsWith("_us") ? null : value);

/** One line of SERIES: values of NAME, counts as a rate per second; null: nothing was measured. */
export function column(answer: Answer, series: Series, name: string): (number | null)[] {
  const index = answer.series.findIndex((one) => one.name === name);
  const scale = answer.series[index]?.kind === "count" ? 1000 / answer.step_ms : 1;
  return series.rows.map((row) => (row === null || index < 0 ? null : measured(name, (row[index] ?? 0) * scale)));
}

/** Of which time the newest value of NAME is, in words. */
export function windowOf(answer: Answer, name: string): string {
  const counts = answer.series.find((one) => one.name === name)?.kind === "count";
  return counts || name.endsWith("_us") ? `last ${answer.step_ms / 1000} s` : "now";
}

/** The newest value of NAME of a daemon. */
export function newest(answer: Answer, daemon: Daemon, name: string): number | null {
  const index = answer.series.findIndex((one) => one.name === name);
  if (!daemon.now || index < 0) return null;
  const scale = answer.series[index]!.kind === "count" ? 1000 / answer.step_ms : 1;
  return measured(name, (daemon.now[index] ?? 0) * scale);
}

export interface Condition {
  name: string;
  holds: boolean;
  text: string; // why it does not hold, and what needs it
  why: string; // the first of the two
  needs: string[]; // "push", "connect", "store": what cannot be done without it
}

export const conditionsOf = (daemon: Daemon): Condition[] =>
  (daemon.ready ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(": ");
      const text = line.slice(colon + 2).replace(/^not ready: /, "");
      const found = /^(.*) \((?:needed for ([a-z, ]+)|shown only)\)$/.exec(text);
      const needs = found ? (found[2]?.split(", ") ?? []) : ["push", "connect", "store"];
      return { name: line.slice(0, colon), holds: text === "ok", text, why: found?.[1] ?? text, needs };
    });

/** When DAEMON was heard of for the last time, to some seconds: Unix time in milliseconds. */
export const heardAt = (answer: Answer, daemon: Daemon) => answer.now_ms - (daemon.heard_ms ?? 0);

/** Had it been told to stop when it was heard of for the last time? */
export const wasStopping = (daemon: Daemon) =>
  conditionsOf(daemon).some((one) => one.name === "running" && one.why === "draining");

export type State = "ok" | "warn" | "away" | "unknown";

/** How a daemon is, in a word. */
export function stateOf(daemon: Daemon): { state: State; text: string } {
  if (daemon.heard_ms === undefined) return { state: "unknown", text: "not heard of yet" };
  if (daemon.gone) return wasStopping(daemon) ? { state: "unknown", text: "stopped" } : { state: "away", text: "gone" };
  if (daemon.away) return { state: "away", text: "does not answer" };
  const failing = conditionsOf(daemon).filter((one) => !one.holds);
  if (failing.some((one) => one.name === "drain")) return { state: "warn", text: "draining" };
  if (failing.length) return { state: "warn", text: `not ready: ${failing.map((one) => one.name).join(", ")}` };
  return { state: "ok", text: "ready" };
}
