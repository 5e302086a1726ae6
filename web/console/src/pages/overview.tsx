import { Chart } from "../chart";
import { column, newest, stateOf, useCluster, windowOf, type Answer, type Daemon, type Kind } from "../cluster";
import { count, micros } from "../format";
import { link } from "../router";
import { Card, Page, Skeleton, Stat } from "../ui";
import { Health, lately } from "./health";

const kinds: Kind[] = ["comet", "logic", "router", "job"];
const rate = (value: number) => `${count(value)}/s`;
const last = (values: (number | null)[]) => values[values.length - 1] ?? null;

function Kinds({ answer }: { answer: Answer }) {
  const of = (kind: Kind): Daemon[] => answer.daemons.filter((one) => one.kind === kind);
  return (
    <ul class="kinds">
      {kinds.map((kind) => {
        const all = of(kind);
        const ready = all.filter((one) => stateOf(one).state === "ok").length;
        return (
          <li key={kind}>
            <a href={link("daemons")}>
              <b>{ready}</b>/{all.length} <span>{kind}{all.length === 1 ? "" : "s"}</span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}

export function Overview() {
  const { answer, totals } = useCluster();
  if (!answer)
    return (
      <Page title="Overview">
        <div class="stats">{[1, 2, 3, 4, 5, 6].map((n) => <Skeleton key={n} height={84} />)}</div>
        <div class="charts">{[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => <Skeleton key={n} height={236} />)}</div>
      </Page>
    );
  const line = (name: string) => column(answer, totals, name);
  const sessions = answer.daemons.some((one) => one.kind === "comet")
    ? answer.daemons.filter((one) => one.kind === "comet").reduce((sum, one) => sum + (newest(answer, one, "sessions") ?? 0), 0)
    : null;
  const connections = last(line("connections"));
  const errors = lately(line("errors"));
  const common = { first: totals.first, stepMs: answer.step_ms };
  return (
    <Page title="Overview" sub={<>The last hour, from what every daemon keeps; seen by {answer.logic}.</>} actions={<Kinds answer={answer} />}>
      <Health answer={answer} />
      <div class="stats">
        <Stat label="Connections" value={count(connections)} whole={String(connections)} hint={`${count(sessions)} sessions`} />
        <Stat label="Deliveries" value={rate(lately(line("deliveries")) ?? 0)} hint="mean of the last minute" />
        <Stat label="Delivered in" value={micros(last(line("typical_us")))}
          hint={`half; 99 of 100: ${micros(last(line("delivery_us")))}, ${windowOf(answer, "delivery_us")}`} />
        <Stat label="Pushes" value={rate(lately(line("pushes")) ?? 0)} hint="mean of the last minute" />
        <Stat label="Push answered in" value={micros(last(line("latency_us")))} hint={`99 of 100, ${windowOf(answer, "latency_us")}`} />
        <Stat label="Errors" value={rate(errors ?? 0)} tone={errors ? "bad" : undefined} hint="mean of the last minute" />
      </div>
      <div class="charts">
        <Card><Chart {...common} title="Connections" window={windowOf(answer, "connections")} format={count} lines={[{ label: "Connections", color: "--line-1", values: line("connections") }]} /></Card>
        <Card><Chart {...common} title="Deliveries" window={windowOf(answer, "deliveries")} format={rate} lines={[{ label: "Deliveries", color: "--line-2", values: line("deliveries") }]} /></Card>
        <Card>
          <Chart {...common} title="Delivered in" format={micros} window={windowOf(answer, "delivery_us")}
            lines={[
              { label: "99 of 100", color: "--line-warn", values: line("delivery_us") },
              { label: "Half", color: "--line-2", values: line("typical_us") },
            ]} />
        </Card>
        <Card><Chart {...common} title="Pushes" window={windowOf(answer, "pushes")} format={rate} lines={[{ label: "Pushes", color: "--line-3", values: line("pushes") }]} /></Card>
        <Card><Chart {...common} title="Push answered in (99 of 100)" window={windowOf(answer, "latency_us")} format={micros} lines={[{ label: "Answered in", color: "--line-4", values: line("latency_us") }]} /></Card>
        <Card>
          <Chart {...common} title="Errors and refusals" format={rate} window={windowOf(answer, "errors")}
            lines={[
              { label: "Errors", color: "--line-bad", values: line("errors") },
              { label: "Refused", color: "--line-warn", values: line("refused") },
            ]} />
        </Card>
        <Card><Chart {...common} title="Loop lag (99 of 100), the worst daemon" window={windowOf(answer, "lag_us")} format={micros} lines={[{ label: "Lag", color: "--line-5", values: line("lag_us") }]} /></Card>
        <Card><Chart {...common} title="Waits in Kafka" window={windowOf(answer, "backlog_ms")} format={(ms) => micros(ms * 1000)} lines={[{ label: "Waits", color: "--line-6", values: line("backlog_ms") }]} /></Card>
        <Card><Chart {...common} title="Logins of devices" window={windowOf(answer, "connects")} format={rate} lines={[{ label: "Logins", color: "--line-1", values: line("connects") }]} /></Card>
      </div>
    </Page>
  );
}
