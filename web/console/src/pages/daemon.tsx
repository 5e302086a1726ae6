import { useState } from "preact/hooks";
import { call, type Session } from "../api";
import { Chart } from "../chart";
import { column, conditionsOf, heardAt, newest, pollNow, stateOf, useCluster, useDaemon, windowOf, type Answer, type Daemon, type Kind, type Setting } from "../cluster";
import { bytes, clock, count, dateTime, lasting, micros } from "../format";
import { link } from "../router";
import { Badge, Card, Confirm, Copy, Empty, Page, Skeleton, Stat, type Question } from "../ui";

const rate = (value: number) => `${count(value)}/s`;

const charts: Record<Kind, { title: string; name: string; format: (value: number) => string }[]> = {
  comet: [
    { title: "Connections", name: "connections", format: count },
    { title: "Deliveries", name: "deliveries", format: rate },
    { title: "Delivered in (99 of 100)", name: "delivery_us", format: micros },
    { title: "Frames of devices", name: "requests", format: rate },
    { title: "Logins of devices", name: "connects", format: rate },
  ],
  logic: [
    { title: "Pushes", name: "pushes", format: rate },
    { title: "Requests", name: "requests", format: rate },
    { title: "Push answered in (99 of 100)", name: "latency_us", format: micros },
  ],
  router: [
    { title: "Sessions", name: "sessions", format: count },
    { title: "Batches", name: "requests", format: rate },
  ],
  job: [
    { title: "Messages read", name: "requests", format: rate },
    { title: "Waits in Kafka", name: "backlog_ms", format: (ms) => micros(ms * 1000) },
  ],
};

function Conditions({ daemon }: { daemon: Daemon }) {
  const all = conditionsOf(daemon);
  if (!all.length) return <Empty title="Nothing heard yet" />;
  return (
    <ul class="conditions">
      {all.map((one) => (
        <li key={one.name}>
          <Badge tone={one.holds ? "ok" : "warn"}>{one.name}</Badge>
          {!one.holds && <span>{one.text}</span>}
        </li>
      ))}
    </ul>
  );
}

const SOON_S = 14 * 86400;

function Certificates({ answer, all }: { answer: Answer; all: { file: string; expires: number }[] }) {
  const left = (expires: number) => expires - answer.now_ms / 1000;
  return (
    <Card flush title="Certificates" note="SIGHUP has the files read anew">
      <table class="cards">
        <thead><tr><th scope="col">File</th><th scope="col">Expires</th><th scope="col">In</th></tr></thead>
        <tbody>
          {all.map(({ file, expires }) => (
            <tr key={file}>
              <th scope="row" class="breaks"><Copy text={file} code /></th>
              <td data-label="Expires">{dateTime(expires * 1000)}</td>
              <td data-label="In">
                <Badge tone={left(expires) <= 0 ? "away" : left(expires) < SOON_S ? "warn" : "plain"}>{left(expires) <= 0 ? "expired" : lasting(left(expires))}</Badge>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Settings({ settings }: { settings: Setting[] }) {
  const [all, setAll] = useState(false);
  const [filter, setFilter] = useState("");
  const shown = settings.filter((one) => (all || one.changed) && one.name.includes(filter));
  const changed = settings.filter((one) => one.changed).length;
  return (
    <Card flush title="Settings" note={`${changed} of ${settings.length} are not the default`}>
      <div class="card-tools">
        <input type="search" placeholder="Filter" aria-label="Filter settings" value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)} />
        <label class="check">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> with defaults
        </label>
      </div>
      {shown.length === 0 ? (
        <Empty title={filter ? "No such setting" : "Everything is as it is by default"} />
      ) : (
        <table>
          <thead>
            <tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col" class="wide-only">Default</th></tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.name} class={one.changed ? "changed" : undefined}>
                <th scope="row"><code>{one.name}</code></th>
                <td class="breaks">
                  {one.value ? <Copy text={one.value} code /> : <span class="faint">empty</span>}
                  {one.changed && all && <Badge tone="plain">changed</Badge>}
                </td>
                <td class="breaks wide-only">{one.default ? <code>{one.default}</code> : <span class="faint">empty</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

function drainQuestion(daemon: Daemon, on: boolean): Question {
  return {
    title: on ? `Drain ${daemon.id}?` : `Let ${daemon.id} take clients again?`,
    text: on ? (
      <p>
        It takes no new clients and sends its {count(daemon.clients ?? 0)} sessions to other comets, at the pace of its{" "}
        <code>drain.rate</code>. It goes on running, and can be told to take clients again.
      </p>
    ) : (
      <p>Clients are told of it again.</p>
    ),
    button: on ? "Drain" : "Take clients",
    danger: on,
    run: async () => {
      await call("POST", on ? "/v1/comets/drain" : "/v1/comets/undrain", JSON.stringify({ server: daemon.id }));
      setTimeout(pollNow, 500);
      return on ? "It has been told. Its connections go down from now on." : "It has been told.";
    },
  };
}

export function DaemonPage({ kind, id, session }: { kind: string; id: string; session: Session }) {
  useDaemon(kind, id);
  const { answer, own, settings } = useCluster();
  const [question, setQuestion] = useState<Question | null>(null);
  const daemon = answer?.daemons.find((one) => one.kind === kind && one.id === id);
  if (!answer) return <Page title={`${kind} ${id}`}><Skeleton height={160} /><Skeleton height={236} /></Page>;
  if (!daemon)
    return (
      <Page title={`${kind} ${id}`}>
        <Empty title="No such daemon">It holds no lease, and was not here within the last hour. <a href={link("daemons")}>All daemons</a></Empty>
      </Page>
    );
  const state = stateOf(daemon);
  const draining = conditionsOf(daemon).some((one) => one.name === "drain" && !one.holds);
  const may = session.scopes.includes("admin");
  const value = (name: string) => newest(answer, daemon, name);
  const line = (name: string) => column(answer, own, name);
  const common = { first: own.first, stepMs: answer.step_ms };
  return (
    <Page
      title={<><span class="kind">{kind}</span> <Copy text={id} /></>}
      sub={<>
        <Badge tone={state.state}>{state.text}</Badge>
        {daemon.away && daemon.heard_ms !== undefined && (
          <> last heard of at {clock(heardAt(answer, daemon))}, {lasting(daemon.heard_ms / 1000)} ago; what is below is from then</>
        )}
      </>}
      actions={daemon.kind === "comet" && !daemon.away && (
        <button type="button" disabled={!may} title={may ? undefined : "needs a key of scope admin"}
          onClick={() => setQuestion(drainQuestion(daemon, !draining))}>
          {draining ? "Take clients again" : "Drain"}
        </button>
      )}
    >
      <div class="stats">
        <Stat label="Version" value={daemon.version ?? "–"} />
        <Stat label="Up" value={daemon.started ? lasting(answer.now_ms / 1000 - daemon.started) : "–"}
          hint={daemon.started && `since ${dateTime(daemon.started * 1000)}`} />
        <Stat label="Memory" value={bytes(value("memory"))} hint={daemon.memory_limit && `of ${bytes(daemon.memory_limit)}`} />
        <Stat label="CPU" value={value("cpu_ms") === null ? "–" : `${Math.round(value("cpu_ms")! / 10)} %`} hint={`of one core, ${windowOf(answer, "cpu_ms")}`} />
        <Stat label="Loop lag" value={micros(value("lag_us"))} hint={`99 of 100, ${windowOf(answer, "lag_us")}`} />
        {daemon.address && <Stat label="Address" value={daemon.address} hint={[daemon.region, daemon.zone].filter(Boolean).join(" / ")} />}
      </div>
      <div class="charts">
        {charts[daemon.kind].map((one) => (
          <Card key={one.name}>
            <Chart {...common} title={one.title} format={one.format} window={windowOf(answer, one.name)} lines={[{ label: one.title, color: "--line-1", values: line(one.name) }]} />
          </Card>
        ))}
        <Card><Chart {...common} title="Loop lag (99 of 100)" format={micros} window={windowOf(answer, "lag_us")} lines={[{ label: "Lag", color: "--line-5", values: line("lag_us") }]} /></Card>
        <Card><Chart {...common} title="CPU" format={(ms) => `${Math.round(ms / 10)} %`} window={windowOf(answer, "cpu_ms")} lines={[{ label: "CPU", color: "--line-6", values: line("cpu_ms") }]} /></Card>
        <Card><Chart {...common} title="Memory" format={bytes} window={windowOf(answer, "memory")} lines={[{ label: "Memory", color: "--line-3", values: line("memory") }]} /></Card>
        <Card>
          <Chart {...common} title="Errors and refusals" format={rate} window={windowOf(answer, "errors")}
            lines={[
              { label: "Errors", color: "--line-bad", values: line("errors") },
              { label: "Refused", color: "--line-warn", values: line("refused") },
            ]} />
        </Card>
      </div>
      <Card title="Conditions" note="as /readyz has them"><Conditions daemon={daemon} /></Card>
      {daemon.certificates && <Certificates answer={answer} all={daemon.certificates} />}
      {settings.length > 0 && <Settings settings={settings} />}
      {question && <Confirm question={question} close={() => setQuestion(null)} />}
    </Page>
  );
}
