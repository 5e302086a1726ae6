import { useEffect, useState } from "preact/hooks";
import { get, withQuery, type Session } from "../api";
import { pushesToRooms, useCluster, useRoomPushes } from "../cluster";
import { count } from "../format";
import { go, link } from "../router";
import { Card, Copy, Empty, Field, Loading, Page, Problem, Stat, useAnswer } from "../ui";

interface Rooms {
  rooms: { room: string; sessions: number }[];
  complete: boolean;
}
interface Members {
  members: { uid?: number; key?: string; session: string; server: string }[];
  cursor?: string;
}

const EVERY_MS = 5000;
const MINUTE_S = 60;
const rate = (pushes: number) => `${count(pushes / MINUTE_S)}/s`;
const SHOWN = 50;

function MembersCard({ room }: { room: string }) {
  const [cursor, setCursor] = useState<string[]>([]);
  const at = cursor[cursor.length - 1] ?? "";
  const { answer, error, loading, again } = useAnswer(
    () => get<Members>(withQuery("/v1/rooms/members", { room, limit: SHOWN, cursor: at })),
    [room, at],
  );
  const absent = (error as { status?: number } | undefined)?.status === 404;
  return (
    <Card flush title="Members" note={answer && (answer.cursor || cursor.length ? `page ${cursor.length + 1}` : undefined)}>
      {absent ? (
        <Empty title="Not available">This logic does not list members of rooms (GET /v1/rooms/members).</Empty>
      ) : error !== undefined ? (
        <Problem error={error} again={again} />
      ) : !answer && loading ? (
        <Loading what="Members" />
      ) : answer && answer.members.length === 0 ? (
        <Empty title="Nobody">No session is in this room now.</Empty>
      ) : answer ? (
        <table class="cards">
          <thead><tr><th scope="col">User</th><th scope="col">Key of device</th><th scope="col">Comet</th><th scope="col">Session</th></tr></thead>
          <tbody>
            {answer.members.map((one) => (
              <tr key={one.session}>
                <th scope="row">{one.uid !== undefined ? <a href={link("user", String(one.uid))}>{one.uid}</a> : "–"}</th>
                <td data-label="Key" class="breaks">{one.key ? <a href={link("user", `key:${one.key}`)}>{one.key}</a> : "–"}</td>
                <td data-label="Comet" class="name" title={one.server}><a href={link("daemons", "comet", one.server)}>{one.server}</a></td>
                <td data-label="Session" class="breaks"><code>{one.session}</code></td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {answer && (answer.cursor || cursor.length > 0) && (
        <div class="more">
          {cursor.length > 0 && <button type="button" onClick={() => setCursor(cursor.slice(0, -1))}>Before</button>}
          {answer.cursor && <button type="button" onClick={() => setCursor([...cursor, answer.cursor!])}>Next</button>}
        </div>
      )}
    </Card>
  );
}

function Known({ room, session }: { room: string; session: Session }) {
  const { answer, error, again } = useAnswer(() => get<Rooms>(withQuery("/v1/rooms", { room })), [room], EVERY_MS);
  const sessions = answer?.rooms[0]?.sessions;
  useRoomPushes();
  const { rooms } = useCluster();
  const pushes = rooms && (pushesToRooms(rooms).get(room) ?? 0);
  const cut = rooms?.some((one) => one.full && !one.rooms.some((other) => other.room === room));
  return (
    <Page title={<>Room <Copy text={room} /></>}
      sub={answer && !answer.complete ? "Routers come or go: for some seconds the number may be too low." : undefined}
      actions={session.scopes.includes("push") && <button type="button" onClick={() => go("push", "room", room)}>Push</button>}>
      {error !== undefined && <Problem error={error} again={again} />}
      <div class="stats few">
        <Stat label="Sessions" value={answer ? count(sessions ?? 0) : "–"} whole={String(sessions ?? 0)} hint="on all comets, at most 7 s old" />
        <Stat label="Messages pushed" value={pushes === null ? "–" : cut && !pushes ? "few" : rate(pushes)} whole={pushes === null ? undefined : `${pushes} in a minute`}
          hint={cut ? "last minute, at least; logics tell only their busiest 100 rooms" : "last minute, by all logics"} />
        <Stat label="Deliveries from that" value={pushes === null || !answer ? "–" : rate(pushes * (sessions ?? 0))} hint="messages × sessions" />
      </div>
      <MembersCard room={room} />
    </Page>
  );
}

function Top() {
  const [prefix, setPrefix] = useState("");
  const [shown, setShown] = useState(SHOWN);
  const [settled, setSettled] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(prefix.trim()), 300);
    return () => clearTimeout(timer);
  }, [prefix]);
  const { answer, error, again } = useAnswer(() => get<Rooms>(withQuery("/v1/rooms", { prefix: settled, limit: 500 })), [settled]);
  useRoomPushes();
  const { rooms } = useCluster();
  const pushes = rooms ? pushesToRooms(rooms) : null;
  const most = answer?.rooms[0]?.sessions ?? 1;
  return (
    <Page title="Rooms" sub="Those with the most sessions." actions={
      <form class="row" onSubmit={(event) => {
        event.preventDefault();
        if (prefix.trim()) go("room", prefix.trim());
      }}>
        <Field label="Room, or how its name begins">
          <input value={prefix} onInput={(event) => setPrefix(event.currentTarget.value)} spellcheck={false} autocomplete="off" />
        </Field>
        <button type="submit" class="primary" disabled={!prefix.trim()}>Look</button>
      </form>
    }>
      {error !== undefined && <Problem error={error} again={again} />}
      <Card flush>
        {!answer && error === undefined ? <Loading what="Rooms" /> : answer && answer.rooms.length === 0 ? (
          <Empty title="No room">{settled ? "No room whose name begins so has sessions." : "No session is in a room."}</Empty>
        ) : answer ? (
          <table>
            <thead><tr><th scope="col">Room</th><th scope="col" class="number">Sessions</th><th scope="col" class="wide-only"><span class="hidden-text">Share</span></th><th scope="col" class="number">Messages</th></tr></thead>
            <tbody>
              {answer.rooms.slice(0, shown).map((one) => (
                <tr key={one.room} onClick={() => go("room", one.room)}>
                  <th scope="row" class="breaks"><a href={link("room", one.room)}>{one.room}</a></th>
                  <td class="number" title={String(one.sessions)}>{count(one.sessions)}</td>
                  <td class="wide-only share"><progress max={most} value={one.sessions} aria-label={`${one.sessions} sessions`} /></td>
                  <td class="number" title={pushes ? `${pushes.get(one.room) ?? 0} in the last minute` : undefined}>{pushes ? (pushes.has(one.room) ? rate(pushes.get(one.room)!) : "–") : "…"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : null}
        {answer && answer.rooms.length > shown && (
          <div class="more"><button type="button" onClick={() => setShown(shown + SHOWN)}>More</button></div>
        )}
      </Card>
    </Page>
  );
}

export function RoomPage({ room, session }: { room: string; session: Session }) {
  return room ? <Known room={room} session={session} /> : <Top />;
}
