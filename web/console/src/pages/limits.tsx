import { useState } from "preact/hooks";
import { useCluster, useRefusals, type Refusal } from "../cluster";
import { count } from "../format";
import { link } from "../router";
import { Badge, Card, Copy, Empty, Page, Skeleton } from "../ui";

/** imc_comet_refused_total{reason="full"} in words: what, and why. A label that is no reason says of what: {kind="room"}. */
function wordsOf(name: string): { metric: string; reason: string } {
  const found = /^imc_[a-z]+?_(.*?)(?:_total)?(?:\{(.*)\})?$/.exec(name);
  let metric = (found?.[1] ?? name).replace(/_/g, " ");
  let reason = "";
  for (const [, label, value] of (found?.[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)) {
    if (label === "reason" || label === "why") reason = value!;
    else if (label === "limit") reason = `limit of ${value}`;
    else metric += `, ${label} ${value}`;
  }
  return { metric, reason };
}

const WINDOW = "5 min: five whole minutes and the one that goes on"; // SERIES_LATELY_S in common/daemon/series.h

interface Sum {
  name: string;
  key?: string;
  kind: string;
  total: number;
  lately: number;
  of: Refusal[]; // one of each daemon
}

/** Adds those of all daemons, and of keys that share a name: one sum for each name, or key and reason. */
function sums(refusals: Refusal[]): Sum[] {
  const all = new Map<string, Sum>();
  for (const one of refusals) {
    const id = `${one.key ?? ""} ${one.name}`;
    const sum = all.get(id) ?? { name: one.name, key: one.key, kind: one.kind, total: 0, lately: 0, of: [] };
    sum.total += one.total;
    sum.lately += one.lately;
    const by = sum.of.find((other) => other.kind === one.kind && other.id === one.id);
    if (by) {
      by.total += one.total;
      by.lately += one.lately;
    } else {
      sum.of.push({ ...one });
    }
    all.set(id, sum);
  }
  return [...all.values()].sort((a, b) => b.lately - a.lately || b.total - a.total);
}

/** Reasons of imc_logic_refused_total that concern the caller. For all others something of logic's was missing. */
const ofKeysWords: Record<string, string> = {
  parameter: "a wrong call",
  token: "no such token",
  path: "no such path",
  method: "the path has other methods",
  encoding: "compressed, or no JSON",
  size: "too large",
  http: "no proper HTTP, too long or too slow",
  scope: "lacks the scope",
  rate: "too fast",
  busy: "too many at once",
};

function Keys({ all, old }: { all: Sum[]; old: boolean }) {
  const shown = all.filter((one) => old || one.lately > 0);
  return (
    <Card flush title="By API key" note={`calls of the HTTP API; ${WINDOW}`}>
      {shown.length === 0 ? (
        <Empty title="No key is refused anything">{all.length ? "Nothing in the last five minutes." : "Nothing since the logics started."} Wrong keys are below, as “key”.</Empty>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Key</th><th scope="col">Why</th><th scope="col" class="number">5 min</th>
              <th scope="col" class="number">Since start</th><th scope="col">By</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={`${one.key} ${one.name}`}>
                <th scope="row" class="breaks"><Copy text={one.key!} /></th>
                <td data-label="Why" class="breaks"><Badge tone={one.lately ? "warn" : "plain"}>{one.name}</Badge> <span class="faint">{ofKeysWords[one.name] ?? "logic could not do it then"}</span></td>
                <td data-label="5 min" class="number" title={String(one.lately)}>{count(one.lately)}</td>
                <td data-label="Since start" class="number" title={String(one.total)}>{count(one.total)}</td>
                <td data-label="By" class="breaks">
                  {one.of.slice(0, 8).map((by) => <a key={by.id} class="chip" href={link("daemons", by.kind, by.id)}>{by.kind} {by.id}</a>)}
                  {one.of.length > 8 && ` and ${one.of.length - 8} more`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

export function Limits() {
  useRefusals();
  const { answer, refusals } = useCluster();
  const [old, setOld] = useState(false);
  const all = refusals ? sums(refusals.filter((one) => !one.key)) : null;
  const shown = all?.filter((one) => old || one.lately > 0);
  return (
    <Page title="Limits" sub="What was refused, cut short or dropped, by whom, and why."
      actions={<label class="check"><input type="checkbox" checked={old} onChange={(event) => setOld(event.currentTarget.checked)} /> also what is over</label>}>
      {answer && refusals && <Keys all={sums(refusals.filter((one) => one.key))} old={old} />}
      {!answer || !shown ? <Skeleton height={236} /> : (
        <Card flush title="By counter" note={`as /metrics has them; ${WINDOW}`}>
          {shown.length === 0 ? (
            <Empty title="Nobody is refused anything">{all!.length ? `Nothing in the last five minutes; ${all!.length} kinds before.` : "Nothing since the daemons started."}</Empty>
          ) : (
            <table class="cards">
              <thead>
                <tr>
                  <th scope="col">What</th><th scope="col">Why</th><th scope="col" class="number">5 min</th>
                  <th scope="col" class="number">Since start</th><th scope="col">By</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((one) => (
                  <tr key={one.name}>
                    <th scope="row">
                      {one.kind}: {wordsOf(one.name).metric}
                      <small class="faint block"><Copy text={one.name} code /></small>
                    </th>
                    <td data-label="Why" class="breaks">{wordsOf(one.name).reason ? <Badge tone={one.lately ? "warn" : "plain"}>{wordsOf(one.name).reason}</Badge> : "–"}</td>
                    <td data-label="5 min" class="number" title={String(one.lately)}>{count(one.lately)}</td>
                    <td data-label="Since start" class="number" title={String(one.total)}>{count(one.total)}</td>
                    <td data-label="By" class="breaks">
                      {one.of.slice(0, 8).map((by) => (
                        <a key={by.id} class="chip" href={link("daemons", by.kind, by.id)}>{by.kind} {by.id}: <b>{count(old ? by.total : by.lately)}</b></a>
                      ))}
                      {one.of.length > 8 && ` and ${one.of.length - 8} more`}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Card>
      )}
    </Page>
  );
}
