import { useState } from "preact/hooks";
import { call, get, withQuery, type Session } from "../api";
import { dateTime, isWhole } from "../format";
import { link } from "../router";
import { Badge, Card, Copy, Empty, Field, Loading, Page, Problem, useAnswer } from "../ui";

type To = "user" | "key" | "room" | "all";

interface Message {
  uid?: number;
  room?: string;
  all?: true;
  id?: string;
}
interface Accepted {
  accepted?: number;
  messages: Message[];
  unknown_keys?: number;
  repeated?: true;
  scheduled?: string;
  deliver_at?: number;
  push?: string; // of a traced one
  traced?: boolean;
}

type Funnel = Record<string, number>;

interface Form {
  to: To;
  names: string;
  kind: "json" | "text";
  body: string;
  op: string;
  ttl: string;
  id: string;
  ack: "" | "each" | "any";
  at: string;
  speed: string;
  trace: boolean;
}

const names = (text: string) => text.split(/[\s,]+/).filter((one) => one !== "");

function target(form: Form): string {
  if (form.to === "all") return '{"all":true}';
  const all = names(form.names);
  if (form.to === "user") return `{"uids":[${all.join(",")}]}`;
  return JSON.stringify({ [form.to === "key" ? "keys" : "rooms"]: all });
}

/** What is wrong with FORM; "": nothing that can be seen from here. */
function fault(form: Form): string {
  const all = names(form.names);
  if (form.to !== "all" && all.length === 0) return "Say to whom.";
  const odd = form.to === "user" ? all.find((one) => !isWhole(one)) : undefined;
  if (odd) return `“${odd}” is no user: a user is a whole number.`;
  if (!form.body) return "The body is empty.";
  if (form.kind === "json") {
    try {
      JSON.parse(form.body);
    } catch (error) {
      return `The body is no JSON: ${(error as Error).message}`;
    }
  }
  return "";
}

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** The text of the call. Numbers stay as they were typed: JavaScript's lose digits. */
export function bodyOf(form: Form): string {
  const parts = [`"to":${target(form)}`];
  if (form.op) parts.push(`"op":${Number(form.op)}`);
  parts.push(form.kind === "json" ? `"body":${form.body.trim() || "null"}` : `"body_base64":"${base64(form.body)}"`);
  if (form.ttl) parts.push(`"ttl":${Number(form.ttl)}`);
  if (form.ack) parts.push(`"ack":"${form.ack}"`);
  if (form.id) parts.push(`"id":${JSON.stringify(form.id)}`);
  if (form.at) parts.push(`"deliver_at":${Math.floor(new Date(form.at).getTime() / 1000)}`);
  if (form.trace) parts.push('"trace":true');
  if (form.to === "all" && form.speed) parts.push(`"speed":${Number(form.speed)}`);
  return `{${parts.join(",")}}`;
}

function curlOf(form: Form, withKey: boolean): string {
  const quoted = bodyOf(form).replace(/'/g, "'\\''");
  const key = withKey ? ` \\\n  -H "Authorization: Bearer $IMC_KEY"` : "";
  return `curl ${location.origin}/v1/push${key} \\\n  -H 'Content-Type: application/json' \\\n  -d '${quoted}'`;
}

function nameOf(one: Message) {
  if (one.uid !== undefined) return <>user <a href={link("user", String(one.uid))}>{one.uid}</a></>;
  if (one.room !== undefined) return <>room <a href={link("room", one.room)}>{one.room}</a></>;
  return <>everybody</>;
}

const steps: [name: string, words: string][] = [
  ["accepted", "accepted"],
  ["sent", "begun at a session"],
  ["written", "taken by the kernel"],
  ["acknowledged", "acknowledged by the device"],
  ["stored", "put into a mailbox"],
  ["waiting", "still there"],
  ["failed", "not taken by Kafka"],
  ["expired", "over before a session had it"],
  ["trimmed", "dropped from a full mailbox"],
  ["replaced", "replaced by a newer message"],
  ["declined", "not accepted by goim's client"],
];

/** How far a traced push has come, asked for again every two seconds. */
function FunnelCard({ push }: { push: string }) {
  const { answer, error } = useAnswer(() => get<Funnel>(withQuery("/v1/pushes/funnel", { id: push })), [push], 2000);
  const most = Math.max(1, ...steps.map(([name]) => Number(answer?.[name] ?? 0)));
  const shown = steps.filter(([name], i) => i < 4 || Number(answer?.[name] ?? 0) > 0);
  return (
    <Card title="How far it has come" note="messages to users and rooms; sessions that had them">
      {error !== undefined && !answer && <Loading what="Nothing is known of it yet" />}
      {answer && (
        <dl class="funnel">
          {shown.map(([name, words]) => [
            <dt>{words}</dt>,
            <dd>
              <progress max={most} value={Number(answer[name] ?? 0)} aria-label={words} />
              <b>{Number(answer[name] ?? 0).toLocaleString("en")}</b>
            </dd>,
          ])}
        </dl>
      )}
    </Card>
  );
}

function Done({ answer }: { answer: Accepted }) {
  return (
    <>
    {answer.push && answer.traced !== false && <FunnelCard push={answer.push} />}
    <Card title="Accepted" note={answer.repeated ? "a push with this id was answered so before: nothing was pushed again" : undefined}>
      {answer.scheduled && (
        <p>Waits until {dateTime((answer.deliver_at ?? 0) * 1000)}, as <Copy text={answer.scheduled} code />.</p>
      )}
      {answer.unknown_keys ? <p><Badge tone="warn">{answer.unknown_keys} unknown</Badge> keys that nobody has had were skipped.</p> : null}
      {answer.messages.length > 0 && (
        <table>
          <thead><tr><th scope="col">To</th><th scope="col">Message</th></tr></thead>
          <tbody>
            {answer.messages.slice(0, 50).map((one, i) => (
              <tr key={one.id ?? i}>
                <td>{nameOf(one)}</td>
                <td>{one.id ? <><a href={link("message", one.id)}>its way</a> <Copy text={one.id} code /></> : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {answer.messages.length > 50 && <p class="faint">and {answer.messages.length - 50} more</p>}
      {answer.traced === false && <p class="faint">It is not traced: more than trace.rate messages a second are.</p>}
      {!answer.scheduled && answer.messages.length === 0 && <Empty title="Nobody" />}
    </Card>
    </>
  );
}

const labels: Record<To, string> = { user: "Users", key: "Devices", room: "Rooms", all: "Everybody" };

export function Push({ kind, name, session }: { kind?: string; name?: string; session: Session }) {
  const [form, setForm] = useState<Form>({
    to: kind === "key" || kind === "room" || kind === "all" ? kind : "user",
    names: name ?? "",
    kind: "json",
    body: '{"text":"hello"}',
    op: "",
    ttl: "",
    id: "",
    ack: "",
    at: "",
    speed: "",
    trace: true,
  });
  const [state, setState] = useState<{ busy?: boolean; error?: unknown; answer?: Accepted }>({});
  const set = (part: Partial<Form>) => setForm({ ...form, ...part });
  const wrong = fault(form);
  const may = session.scopes.includes("push");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (form.to === "all" && !confirm("Push to everybody who is online?")) return;
    setState({ busy: true });
    try {
      setState({ answer: await call<Accepted>("POST", "/v1/push", bodyOf(form)) });
    } catch (error) {
      setState({ error });
    }
  };
  const number = (field: "op" | "ttl" | "speed", label: string, hint: string) => (
    <Field label={label} hint={hint}>
      <input type="number" min="0" inputMode="numeric" value={form[field]} onInput={(event) => set({ [field]: event.currentTarget.value })} />
    </Field>
  );
  return (
    <Page title="Push" sub="Answered when Kafka has the message.">
      {!may && <Problem error={new Error("Your key lacks the scope push: fill in the form, and take the curl line to somebody who may.")} />}
      <div class="two">
        <form class="card form" onSubmit={submit}>
          <fieldset class="choice">
            <legend>To</legend>
            {(Object.keys(labels) as To[]).map((one) => (
              <label key={one}>
                <input type="radio" name="to" checked={form.to === one} onChange={() => set({ to: one })} /> <span>{labels[one]}</span>
              </label>
            ))}
          </fieldset>
          {form.to !== "all" && (
            <Field wide label={{ user: "Numbers of users", key: "Keys of devices", room: "Names of rooms" }[form.to]}
              hint="Several are parted by blanks or commas.">
              <input value={form.names} onInput={(event) => set({ names: event.currentTarget.value })} spellcheck={false} autocomplete="off" />
            </Field>
          )}
          <div class="field wide">
            <Field wide label="Body">
              <textarea rows={5} value={form.body} onInput={(event) => set({ body: event.currentTarget.value })} spellcheck={false} />
            </Field>
            <span class="inline-choice" role="group" aria-label="What the body is">
              <label><input type="radio" name="kind" checked={form.kind === "json"} onChange={() => set({ kind: "json" })} /> JSON, as it stands</label>
              <label><input type="radio" name="kind" checked={form.kind === "text"} onChange={() => set({ kind: "text" })} /> text</label>
            </span>
          </div>
          <div class="fields">
            {number("ttl", "May wait, seconds", "In the mailbox. 0: only who is online. Empty: mailbox.ttl")}
            {number("op", "Operation", "Of the frame. Empty: 5")}
            <Field label="Idempotency key" hint="The same one pushes once in 5 minutes.">
              <input value={form.id} maxLength={128} onInput={(event) => set({ id: event.currentTarget.value })} autocomplete="off" />
            </Field>
            <Field label="Not before" hint="Empty: now">
              <input type="datetime-local" value={form.at} onInput={(event) => set({ at: event.currentTarget.value })} />
            </Field>
            {form.to === "all" && number("speed", "Messages a second", "0 or empty: as fast as possible")}
          </div>
          <label class="check">
            <input type="checkbox" checked={form.trace} onChange={(event) => set({ trace: event.currentTarget.checked })} /> follow its way
            <span class="faint">each step is kept for an hour</span>
          </label>
          <div class="form-end">
            <button type="submit" class="primary" disabled={!may || wrong !== "" || state.busy}>{state.busy ? "Pushing…" : "Push"}</button>
            {wrong && <span class="form-fault" role="status">{wrong}</span>}
          </div>
        </form>
        <div class="stack">
          <Card title="The same by curl" note={<Copy text={curlOf(form, session.needs_key)} shown="copy" />}>
            <pre class="curl" tabIndex={0} aria-label="The same by curl">{curlOf(form, session.needs_key)}</pre>
          </Card>
          {state.error !== undefined && <Problem error={state.error} />}
          {state.answer && <Done answer={state.answer} />}
        </div>
      </div>
    </Page>
  );
}
