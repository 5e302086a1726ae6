import { useState } from "preact/hooks";
import { EventsTable, NotTold, useEvents } from "../events";
import { isWhole } from "../format";
import { Card, Empty, Loading, Page, Problem } from "../ui";

const SHOWN = 200;
const kinds: [string, string][] = [
  ["", "All"],
  ["connected,disconnected", "Sessions"],
  ["joined,left", "Rooms"],
  ["stored,delivered,acknowledged,expired", "Messages"],
];

export function Live() {
  const [paused, setPaused] = useState(false);
  const [types, setTypes] = useState("");
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const uid = isWhole(wanted) ? wanted : ""; // logic knows users; what else is typed is looked for here
  const { events, loaded, told, gap, why, error } = useEvents({ uid, types, paused });
  const shown = events
    .filter((one) => !wanted || uid || `${one.thing}.${one.what} ${one.uid} ${JSON.stringify(one.data)}`.toLowerCase().includes(wanted))
    .slice(0, SHOWN);
  return (
    <Page title="Live" sub="Who comes and goes, and what becomes of messages: as it happens." actions={told && <>
      <select class="kinds-of-events" aria-label="Kind of events" value={types} onChange={(event) => setTypes(event.currentTarget.value)}>
        {kinds.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
      </select>
      <input type="search" class="filter" placeholder="Filter" aria-label="Filter by user, comet, room, reason" value={filter}
        onInput={(event) => setFilter(event.currentTarget.value)} />
      <button type="button" onClick={() => setPaused(!paused)} aria-pressed={paused}>{paused ? "Go on" : "Pause"}</button>
    </>}>
      {error !== undefined && <Problem error={error} />}
      {told && why && <Problem error={new Error(`No events come now: ${why}`)} />}
      {told && gap && <p class="sub">Some events are missing here: there were too many, or this logic began anew.</p>}
      <Card flush>
        {!told ? <NotTold /> : !loaded && error === undefined && !why ? <Loading what="Events" /> : shown.length === 0 ? (
          <Empty title={wanted || types ? "None of these" : "Nothing yet"}>
            {paused ? "Paused." : "Events appear here as they happen."}
          </Empty>
        ) : <EventsTable events={shown} />}
      </Card>
    </Page>
  );
}
