import { useState } from "preact/hooks";
import { call, get, withQuery, type Session } from "../api";
import { EventsTable, useEvents } from "../events";
import { bytes, count, dateTime, isWhole } from "../format";
import { go, link } from "../router";
import { Badge, Card, Confirm, Copy, Empty, Field, Loading, Page, Problem, useAnswer, type Question } from "../ui";

interface One {
  session: string;
  server: string;
  key?: string;
  room?: string;
  rooms?: string[];
  since?: number;
  transport?: string;
  address?: string;
  ack?: boolean;
  accepts?: number[];
  declines?: number[];
  more_operations?: number;
  unsent?: number;
}
interface Sessions {
  uid?: number;
  sessions: One[];
  complete: boolean;
}
interface Waiting {
  id: string;
  op: number;
  body_base64: string;
  expires?: number;
}
interface Mailbox {
  messages: Waiting[];
  cursor?: string;
}

const SHOWN = 50;
const EVERY_MS = 5000;

/** What a body is, in words that fit into a line. */
export function bodyText(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.length > 300 ? `${text.slice(0, 300)}…` : text;
  } catch {
    return `${bytes.length} bytes: ${base64.slice(0, 80)}${base64.length > 80 ? "…" : ""}`;
  }
}

/** What else a session is like that explains why a message did or did not come. */
function traits(one: One): string {
  const more = one.more_operations ? ` and ${count(one.more_operations)} more` : "";
  const operations = (list: number[]) => list.slice(0, 20).join(", ") + (list.length > 20 ? " …" : "") + more;
  return [
    one.ack && "acknowledges",
    one.accepts && `accepts only operations ${operations(one.accepts) || "none"}`,
    one.declines?.length && `declines operations ${operations(one.declines)}`,
    one.unsent && `${bytes(one.unsent)} not taken yet`,
  ].filter(Boolean).join(" · ");
}

function SessionsCard({ answer, may, ask }: { answer: Sessions; may: boolean; ask: (one: One) => void }) {
  const [shown, setShown] = useState(SHOWN);
  return (
    <Card flush title="Sessions" note={answer.complete ? count(answer.sessions.length) : "routers or comets have just changed: some may be missing"}>
      {answer.sessions.length === 0 ? (
        <Empty title="Not online">No device of this user is connected. Messages wait in the mailbox.</Empty>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Session</th><th scope="col">Comet</th><th scope="col">Key of device</th><th scope="col">Rooms</th>
              <th scope="col"><span class="hidden-text">What to do</span></th>
            </tr>
          </thead>
          <tbody>
            {answer.sessions.slice(0, shown).map((one) => (
              <tr key={one.session}>
                <th scope="row" class="breaks">
                  <Copy text={one.session} code />
                  {(one.address || one.transport || one.since) && (
                    <small class="faint block">
                      {[one.transport, one.address, one.since && `since ${dateTime(one.since * 1000)}`].filter(Boolean).join(" · ")}
                    </small>
                  )}
                  {traits(one) && <small class="faint block">{traits(one)}</small>}
                </th>
                <td data-label="Comet" class="name" title={one.server}><a href={link("daemons", "comet", one.server)}>{one.server}</a></td>
                <td data-label="Key" class="breaks">{one.key ? <Copy text={one.key} code /> : "–"}</td>
                <td data-label="Rooms" class="breaks">
                  {(one.rooms ?? (one.room ? [one.room] : [])).slice(0, 20).map((room) => (
                    <a key={room} class="chip" href={link("room", room)}>{room}</a>
                  ))}
                  {!one.room && !one.rooms?.length && "–"}
                </td>
                <td class="right">{may && <button type="button" onClick={() => ask(one)}>Kick</button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {answer.sessions.length > shown && (
        <div class="more"><button type="button" onClick={() => setShown(shown + SHOWN)}>More of {answer.sessions.length}</button></div>
      )}
    </Card>
  );
}

function MailboxCard({ uid, may }: { uid: string; may: boolean }) {
  const [cursor, setCursor] = useState<string[]>([]);
  const [question, setQuestion] = useState<Question | null>(null);
  const at = cursor[cursor.length - 1] ?? "";
  const { answer, error, loading, again } = useAnswer(
    () => get<Mailbox>(withQuery("/v1/mailbox", { uid, limit: SHOWN, cursor: at })),
    [uid, at],
  );
  const newest = answer?.messages[answer.messages.length - 1];
  return (
    <Card flush title="Mailbox" note={answer && (answer.cursor || cursor.length ? `page ${cursor.length + 1}` : count(answer.messages.length))}>
      {error !== undefined && <Problem error={error} again={again} />}
      {loading && !answer && <Loading what="Mailbox" />}
      {answer && answer.messages.length === 0 && <Empty title="Empty">Nothing waits for this user.</Empty>}
      {answer && answer.messages.length > 0 && (
        <table class="cards">
          <thead>
            <tr><th scope="col">Message</th><th scope="col">Op</th><th scope="col">Body</th><th scope="col">Until</th></tr>
          </thead>
          <tbody>
            {answer.messages.map((one) => (
              <tr key={one.id}>
                <th scope="row"><a href={link("message", one.id, uid)}>{one.id}</a></th>
                <td data-label="Op">{one.op}</td>
                <td data-label="Body" class="breaks"><code>{bodyText(one.body_base64)}</code></td>
                <td data-label="Until">{one.expires ? dateTime(one.expires * 1000) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {answer && (answer.cursor || cursor.length > 0 || (may && newest)) && (
        <div class="more">
          {cursor.length > 0 && <button type="button" onClick={() => setCursor(cursor.slice(0, -1))}>Older</button>}
          {answer.cursor && <button type="button" onClick={() => setCursor([...cursor, answer.cursor!])}>Newer</button>}
          {may && newest && (
            <button type="button" class="danger" onClick={() => setQuestion({
              title: `Delete what waits for user ${uid}?`,
              text: <p>All messages up to <code>{newest.id}</code>, the last one of this page, for all devices of the user. They are lost.</p>,
              button: "Delete",
              danger: true,
              run: async () => {
                await call("DELETE", withQuery("/v1/mailbox", { uid, upto: newest.id }));
                return "Deleted.";
              },
            })}>Delete up to here</button>
          )}
        </div>
      )}
      {question && <Confirm question={question} close={(done) => {
        setQuestion(null);
        if (done) again();
      }} />}
    </Card>
  );
}

const EVENTS_SHOWN = 20;

/** What logic keeps of events is of the whole cluster, and for as long as somebody looks: no history of the user. */
function EventsCard({ uid }: { uid: string }) {
  const { events, loaded, told, why, error } = useEvents({ uid });
  const [shown, setShown] = useState(EVENTS_SHOWN);
  return (
    <Card flush title="Recent events" note={told && "among the last of the whole cluster"}>
      {error !== undefined && <Problem error={error} />}
      {told && why && <Problem error={new Error(`No events come now: ${why}`)} />}
      {!told ? (
        <Empty title="No events are told">docs/events.md says how a cluster is told to.</Empty>
      ) : !loaded && error === undefined && !why ? (
        <Loading what="Events" />
      ) : events.length === 0 ? (
        <Empty title="None lately">This logic keeps the last events of all users, at most 4096, while somebody looks. None of them is of this user.</Empty>
      ) : (
        <EventsTable events={events.slice(0, shown)} ofUser />
      )}
      {events.length > shown && <div class="more"><button type="button" onClick={() => setShown(shown + EVENTS_SHOWN)}>More of {events.length}</button></div>}
    </Card>
  );
}

function Block({ uid, run }: { uid: string; run: (question: Question) => void }) {
  const [seconds, setSeconds] = useState("3600");
  return (
    <Card title="Block" note="admin">
      <div class="row">
        <Field label="For">
          <select value={seconds} onChange={(event) => setSeconds(event.currentTarget.value)}>
            <option value="600">10 minutes</option>
            <option value="3600">an hour</option>
            <option value="86400">a day</option>
            <option value="2592000">30 days</option>
            <option value="316224000">ten years</option>
          </select>
        </Field>
        <button type="button" class="danger" onClick={() => run({
          title: `Block user ${uid}?`,
          text: <p>Every session of the user ends now, and no device of the user is let in for that time, whatever token it has.</p>,
          button: "Block",
          danger: true,
          run: async () => {
            const answer = await call<{ sessions: number }>("POST", "/v1/users/block", `{"uid":${uid},"seconds":${seconds},"reason":"blocked"}`);
            return `Blocked. ${answer.sessions} sessions ended.`;
          },
        })}>Block</button>
        <button type="button" onClick={() => run({
          title: `Let user ${uid} in again?`,
          text: <p>Takes a block back, and a revocation of all tokens of the user.</p>,
          button: "Unblock",
          run: async () => {
            await call("POST", "/v1/users/unblock", `{"uid":${uid}}`);
            return "The user is let in again.";
          },
        })}>Unblock</button>
      </div>
    </Card>
  );
}

function Known({ who, session }: { who: string; session: Session }) {
  const key = who.startsWith("key:") ? who.slice(4) : "";
  const { answer, error, loading, again } = useAnswer(
    () => get<Sessions>(withQuery("/v1/sessions", key ? { key } : { uid: who })),
    [who],
    EVERY_MS,
  );
  const [question, setQuestion] = useState<Question | null>(null);
  const admin = session.scopes.includes("admin");
  const uid = key ? (answer?.uid !== undefined ? String(answer.uid) : "") : who;
  const kick = (one?: One): Question => ({
    title: one ? "End this session?" : "End all sessions?",
    text: <p>{one ? <>Session <code>{one.session}</code> ends</> : "Every session ends"} with code 7. The device may connect again; to keep it out, block the user.</p>,
    button: "Kick",
    danger: true,
    run: async () => {
      const answer = await call<{ sessions: number }>("DELETE",
        withQuery("/v1/sessions", { uid: key ? undefined : who, key: key || undefined, session: one?.session }));
      return `${answer.sessions} ended.`;
    },
  });
  return (
    <Page
      title={key ? <>Device <Copy text={key} /></> : <>User <Copy text={who} /></>}
      sub={answer && (answer.sessions.length ? <Badge tone="ok">online</Badge> : <Badge tone="unknown">not online</Badge>)}
      actions={<>
        <button type="button" onClick={again} disabled={loading}>{loading ? "Asking…" : "Refresh"}</button>
        {session.scopes.includes("push") && <button type="button" onClick={() => go("push", key ? "key" : "user", key || who)}>Push</button>}
        {admin && answer && answer.sessions.length > 0 && <button type="button" class="danger" onClick={() => setQuestion(kick())}>Kick all</button>}
      </>}
    >
      {error !== undefined && <Problem error={error} again={again} />}
      {!answer && loading && <Card><Loading what="Sessions" /></Card>}
      {key && answer && (uid ? <p class="sub">Of user <a href={link("user", uid)}>{uid}</a></p> : <p class="sub">Nobody has had this key.</p>)}
      {answer && <SessionsCard answer={answer} may={admin} ask={(one) => setQuestion(kick(one))} />}
      {!key && <MailboxCard uid={who} may={admin} />}
      {(!key || uid) && <EventsCard uid={key ? uid : who} />}
      {!key && admin && <Block uid={who} run={setQuestion} />}
      {question && <Confirm question={question} close={(done) => {
        setQuestion(null);
        if (done) again();
      }} />}
    </Page>
  );
}

export function UserPage({ who, session }: { who: string; session: Session }) {
  const [text, setText] = useState("");
  if (who && (who.startsWith("key:") || isWhole(who))) return <Known who={who} session={session} />;
  return (
    <Page title="User" sub="Sessions, rooms and mailbox of a user; kick, block, push.">
      <Card>
        {who && <Problem error={new Error(`“${who}” is no user: a user is a whole number. A device is named by its key.`)} />}
        <form class="row" onSubmit={(event) => {
          event.preventDefault();
          const wanted = text.trim();
          if (wanted) go("user", isWhole(wanted) ? wanted : `key:${wanted}`);
        }}>
          <Field label="User, or key of a device" hint="A whole number is a user, anything else the key of a device.">
            <input value={text} onInput={(event) => setText(event.currentTarget.value)} autofocus spellcheck={false} autocomplete="off" />
          </Field>
          <button type="submit" class="primary" disabled={!text.trim()}>Look</button>
        </form>
      </Card>
    </Page>
  );
}
