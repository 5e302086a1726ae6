import { useState } from "preact/hooks";
import { CallError, get, withQuery } from "../api";
import { count, dateTime, lasting, micros } from "../format";
import { go, link } from "../router";
import { Badge, Card, Copy, Empty, Field, Loading, Page, Problem, useAnswer } from "../ui";

interface Step {
  at: string;
  after_us: number;
  step: string;
  service?: string;
  member?: string;
  session?: string;
  sessions?: number;
  server?: string;
  reason?: string;
  uid?: number;
  room?: string;
  all?: number;
  op?: number;
  bytes?: number;
  ends?: number;
  topic?: string;
  partition?: number;
  offset?: number;
}
interface Way {
  id: string;
  state: string;
  sessions: { session: string; state: string; at: string }[];
  steps: Step[];
}

/** Steps in words, and whether they are good; docs/tracing.md has all of them. */
const words: Record<string, [text: string, tone: "good" | "bad" | "waits" | ""]> = {
  accepted: ["Logic took it", ""],
  produced: ["Kafka has it; the caller was answered", ""],
  failed: ["Kafka did not take it; the caller was told", "bad"],
  read: ["A job read it", ""],
  dispatched: ["It goes to a comet", ""],
  sent: ["The comet gives it to the session", ""],
  written: ["The kernel of the comet's machine has it", "good"],
  acknowledged: ["The device acknowledged it", "good"],
  declined: ["The goim session does not accept the operation", "bad"],
  gone: ["The session had left", "waits"],
  dropped: ["The session ended before it had it", "waits"],
  put_off: ["It could not be stored; the job tries again", "waits"],
  stored: ["It waits in the mailbox", "waits"],
  taken: ["It left the mailbox", ""],
  trimmed: ["It was dropped from a full mailbox", "bad"],
  replaced: ["A newer message has its place", ""],
  expired: ["Its time was over before a session had it", "bad"],
};

const toneOf = (state: string) =>
  ({ good: "ok", bad: "away", waits: "warn", "": "plain" } as const)[words[state]?.[1] ?? ""];
const kindOf = (service: string) => service.replace(/^imc-/, "");
const time = (at: string) => dateTime(new Date(at).getTime()) + (/\.\d{3}/.exec(at)?.[0] ?? "");

function More({ step }: { step: Step }) {
  const facts: string[] = [];
  if (step.reason) facts.push(step.reason);
  if (step.sessions) facts.push(`${count(step.sessions)} sessions`);
  if (step.topic) facts.push(`topic ${step.topic}, partition ${step.partition}, offset ${step.offset}`);
  if (step.bytes !== undefined) facts.push(`${step.bytes} bytes, operation ${step.op ?? "–"}`);
  if (step.ends) facts.push(`waits until ${dateTime(step.ends)}`);
  return (
    <span>
      {step.service && step.member && <a href={link("daemons", kindOf(step.service), step.member)}>{kindOf(step.service)} {step.member}</a>}
      {step.uid !== undefined && <> · to user <a href={link("user", String(step.uid))}>{step.uid}</a></>}
      {step.room !== undefined && <> · to room <a href={link("room", step.room)}>{step.room}</a></>}
      {step.all !== undefined && <> · to everybody</>}
      {step.server && <> · to <a href={link("daemons", "comet", step.server)}>comet {step.server}</a></>}
      {step.session && <> · session <code>{step.session}</code></>}
      {facts.length > 0 && ` · ${facts.join(" · ")}`}
    </span>
  );
}

function WayCards({ way }: { way: Way }) {
  return (
    <>
      <Card title="Its way" note={way.steps[0] && `since ${time(way.steps[0].at)}`}>
        <ol class="timeline">
          {way.steps.map((step, i) => (
            <li key={i} class={words[step.step]?.[1]}>
              <b>
                {words[step.step]?.[0] ?? step.step}
                <span class="after" title={step.at}>+ {micros(step.after_us)}</span>
              </b>
              <More step={step} />
            </li>
          ))}
        </ol>
      </Card>
      {way.sessions.length > 0 && (
        <Card flush title="Sessions" note={count(way.sessions.length)}>
          <table class="cards">
            <thead><tr><th scope="col">Session</th><th scope="col">Came to</th><th scope="col">At</th></tr></thead>
            <tbody>
              {way.sessions.map((one) => (
                <tr key={one.session}>
                  <th scope="row" class="breaks"><Copy text={one.session} code /></th>
                  <td data-label="Came to"><Badge tone={toneOf(one.state)}>{one.state}</Badge></td>
                  <td data-label="At">{time(one.at)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
      )}
    </>
  );
}

const EVERY_MS = 3000;

/** When logic took the message: its number begins with that (common/protocol/message_id.h). NaN: no logic made this number. */
export function acceptedAt(id: string): number {
  if (!/^\d{1,19}$/.test(id)) return NaN;
  const ms = Number(BigInt(id) >> 22n);
  return ms > Date.UTC(2020, 0) && ms < Date.now() + 86400000 ? ms : NaN;
}

function Unknown({ id, uid }: { id: string; uid: string }) {
  const at = acceptedAt(id);
  return (
    <Card title="Nothing is known of it">
      <dl class="about">
        <dt>Accepted</dt>
        <dd>
          {Number.isNaN(at)
            ? "Its number has no time in it that makes sense: no logic of a cluster like this made it."
            : `${dateTime(at)}.${String(at % 1000).padStart(3, "0")}, ${lasting((Date.now() - at) / 1000)} ago, as its number says`}
        </dd>
        <dt>Its way</dt>
        <dd>
          is kept for an hour, and only of messages that are traced: push with <code>"trace":true</code>, or put the user
          into <code>trace.users_file</code> of every logic and send SIGHUP. Then push again, or wait for the next one.
        </dd>
        <dt>Its events</dt>
        <dd>
          {uid ? <>are among those of <a href={link("user", uid)}>user {uid}</a></> : "are on the page of its user"}, if they are
          among the last of the cluster. A message that every session declined, because it does not accept the operation,
          has none, nor has one that the business took out of the mailbox.
        </dd>
      </dl>
    </Card>
  );
}

function Known({ id, uid }: { id: string; uid: string }) {
  const { answer, error, loading, again } = useAnswer(() => get<Way>(withQuery("/v1/messages", { id })), [id], EVERY_MS);
  const status = error instanceof CallError ? error : null;
  const absent = status?.status === 404 && (status.answer as { code?: string } | null)?.code === "no_such_path";
  return (
    <Page
      title={<>Message <Copy text={id} /></>}
      sub={answer && <Badge tone={toneOf(answer.state)}>{answer.state}</Badge>}
      actions={<button type="button" onClick={again} disabled={loading}>{loading ? "Asking…" : "Refresh"}</button>}
    >
      {answer ? (
        <WayCards way={answer} />
      ) : absent ? (
        <Card><Empty title="Not available">This logic cannot say which way a message took. Its version may be too old.</Empty></Card>
      ) : status?.status === 404 ? (
        <Unknown id={id} uid={uid} />
      ) : error !== undefined ? (
        <Problem error={error} again={again} />
      ) : (
        <Card><Loading what="Message" /></Card>
      )}
    </Page>
  );
}

/** UID: whose it is, "" if that is not known. */
export function MessagePage({ id, uid }: { id: string; uid: string }) {
  const [text, setText] = useState("");
  if (id) return <Known id={id} uid={uid} />;
  return (
    <Page title="Message" sub="Which way a message took: accepted, in Kafka, read by a job, written to devices, acknowledged.">
      <Card>
        <form class="row" onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) go("message", text.trim());
        }}>
          <Field label="Number of the message" hint="As POST /v1/push answers it, and as devices get it.">
            <input value={text} onInput={(event) => setText(event.currentTarget.value)} inputMode="numeric" autofocus spellcheck={false} autocomplete="off" />
          </Field>
          <button type="submit" class="primary" disabled={!text.trim()}>Look</button>
        </form>
      </Card>
    </Page>
  );
}
