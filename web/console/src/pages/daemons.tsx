import { useState } from "preact/hooks";
import { Spark } from "../chart";
import { newest, stateOf, useCluster, type Answer, type Daemon, type Kind } from "../cluster";
import { bytes, count, lasting, micros } from "../format";
import { go, link } from "../router";
import { Badge, Card, Empty, Page, Skeleton } from "../ui";

const PAGE = 50;

const load: Record<Kind, { name: string; text: (answer: Answer, one: Daemon) => string; line: string }> = {
  comet: {
    name: "Connections",
    text: (answer, one) => count(newest(answer, one, "connections")),
    line: "deliveries in the last five minutes",
  },
  logic: {
    name: "Pushes",
    text: (answer, one) => `${count(newest(answer, one, "pushes"))}/s`,
    line: "pushes in the last five minutes",
  },
  router: {
    name: "Sessions",
    text: (answer, one) => count(newest(answer, one, "sessions")),
    line: "batches in the last five minutes",
  },
  job: {
    name: "Messages",
    text: (answer, one) => `${count(newest(answer, one, "requests"))}/s`,
    line: "messages in the last five minutes",
  },
};

function cpu(answer: Answer, one: Daemon): string {
  const ms = newest(answer, one, "cpu_ms");
  return ms === null ? "–" : `${Math.round(ms / 10)} %`;
}

function Memory({ answer, one }: { answer: Answer; one: Daemon }) {
  const used = newest(answer, one, "memory");
  const share = used !== null && one.memory_limit ? used / one.memory_limit : 0;
  return (
    <span class="memory">
      {bytes(used)}
      {one.memory_limit ? (
        <progress class={share > 0.85 ? "low" : undefined} max={1} value={share} title={`of ${bytes(one.memory_limit)}`}
          aria-label={`${Math.round(share * 100)} % of ${bytes(one.memory_limit)}`} />
      ) : null}
    </span>
  );
}

function Row({ answer, one }: { answer: Answer; one: Daemon }) {
  const state = stateOf(one);
  const alone = one.heard_ms === undefined || one.away;
  const value = (text: string) => (one.now ? text : "–");
  return (
    <tr class={alone ? "dim" : undefined} onClick={() => go("daemons", one.kind, one.id)}>
      <th scope="row"><a href={link("daemons", one.kind, one.id)}>{one.id}</a></th>
      <td data-label="State"><Badge tone={state.state}>{state.text}</Badge></td>
      <td data-label="Version">{one.version ?? "–"}{one.version && one.version !== answer.version && <Badge tone="warn">differs</Badge>}</td>
      <td data-label="Up" class="number">{one.started && !one.away ? lasting(answer.now_ms / 1000 - one.started) : "–"}</td>
      <td data-label={load[one.kind].name} class="number">{value(load[one.kind].text(answer, one))}</td>
      <td class="wide-only">{one.line && <Spark values={one.line} label={load[one.kind].line} />}</td>
      <td data-label="Lag" class="number">{value(micros(newest(answer, one, "lag_us")))}</td>
      <td data-label="CPU" class="number">{value(cpu(answer, one))}</td>
      <td data-label="Memory" class="number memory-cell"><Memory answer={answer} one={one} /></td>
      <td data-label="Region" class="wide-only">{[one.region, one.zone].filter(Boolean).join(" / ") || "–"}</td>
    </tr>
  );
}

function Kinds({ answer, kind, all }: { answer: Answer; kind: Kind; all: Daemon[] }) {
  const [shown, setShown] = useState(PAGE);
  return (
    <Card flush title={`${kind}s`} note={`${all.filter((one) => !one.gone).length} alive`}>
      {all.length === 0 ? (
        <Empty title={`No ${kind}`}>None is a member of this cluster.</Empty>
      ) : (
        <table class="cards daemons">
          <thead>
            <tr>
              <th scope="col">Id</th>
              <th scope="col">State</th>
              <th scope="col">Version</th>
              <th scope="col" class="number">Up</th>
              <th scope="col" class="number">{load[kind].name}</th>
              <th scope="col" class="wide-only"><span class="hidden-text">{load[kind].line}</span></th>
              <th scope="col" class="number">Lag</th>
              <th scope="col" class="number">CPU</th>
              <th scope="col" class="number">Memory</th>
              <th scope="col" class="wide-only">Region</th>
            </tr>
          </thead>
          <tbody>{all.slice(0, shown).map((one) => <Row key={one.id} answer={answer} one={one} />)}</tbody>
        </table>
      )}
      {all.length > shown && (
        <div class="more">
          <button type="button" onClick={() => setShown(shown + PAGE)}>
            {Math.min(PAGE, all.length - shown)} more of {all.length}
          </button>
        </div>
      )}
    </Card>
  );
}

export function Daemons() {
  const { answer } = useCluster();
  const [filter, setFilter] = useState("");
  if (!answer)
    return (
      <Page title="Daemons">
        {[1, 2, 3, 4].map((n) => <Skeleton key={n} height={160} />)}
      </Page>
    );
  const fits = (one: Daemon) => !filter || `${one.id} ${one.region ?? ""} ${one.zone ?? ""} ${stateOf(one).text}`.includes(filter);
  return (
    <Page title="Daemons" sub="Whoever holds a lease. A daemon that was lost stays here for an hour."
      actions={
        <input type="search" class="filter" placeholder="Filter" aria-label="Filter by id, region or state" value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)} />
      }>
      {(["comet", "logic", "router", "job"] as Kind[]).map((kind) => (
        <Kinds key={kind} answer={answer} kind={kind} all={answer.daemons.filter((one) => one.kind === kind && fits(one))} />
      ))}
    </Page>
  );
}
