import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { bytes } from "./format";
import { useTheme } from "./theme";

export interface Line {
  label: string;
  color: string; // of the style sheet: "--line-1"
  values: (number | null)[];
}

interface Props {
  title: string;
  first: number; // slot of the first value
  stepMs: number;
  lines: Line[];
  format: (value: number) => string;
  window: string; // of which time the newest values are: "now", "last 5 s"
  height?: number;
}

const powers = Array.from({ length: 50 }, (_, i) => 2 ** i);
const style = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const sync = uPlot.sync("all");

/** Values between two gaps: no line goes to them. */
function alone(plot: uPlot, line: number): number[] {
  const values = plot.data[line] ?? [];
  const is = (i: number) => values[i] !== null && values[i] !== undefined;
  return Array.from(values, (_, i) => i).filter((i) => is(i) && !is(i - 1) && !is(i + 1));
}

function options(props: Props, width: number): uPlot.Options {
  const axis = {
    stroke: style("--muted"),
    grid: { stroke: style("--grid"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width,
    height: props.height ?? 180,
    cursor: { sync: { key: sync.key }, points: { size: 6 }, drag: { setScale: false } },
    legend: { show: false },
    padding: [8, 18, 0, 0],
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 26, space: 70, values: (_, ticks) => ticks.map((tick) => hourMinute(tick)) },
      { ...axis, size: 56, space: 34, ...(props.format === bytes ? { incrs: powers } : {}), values: (_, ticks) => ticks.map((tick) => props.format(tick)) },
    ],
    series: [
      {},
      ...props.lines.map((line) => ({
        label: line.label,
        stroke: style(line.color),
        fill: props.lines.length === 1 ? style(line.color) + "1f" : undefined,
        width: 1.75,
        points: { show: true, size: 3.5, width: 0, fill: style(line.color), filter: alone },
      })),
    ],
  };
}

function hourMinute(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

const LEAST = 60; // slots that are drawn, also of a cluster that is younger

/** Begins where there is something to be seen. */
function data(props: Props): uPlot.AlignedData {
  const all = props.lines.map((line) => line.values);
  const n = all[0]?.length ?? 0;
  let from = 0;
  while (from < n - LEAST && all.every((values) => values[from] === null)) from++;
  const times = Array.from({ length: n - from }, (_, i) => ((props.first + from + i) * props.stepMs) / 1000);
  return [times, ...all.map((values) => values.slice(from))] as uPlot.AlignedData;
}

const last = (values: (number | null)[]) => values[values.length - 1] ?? null;
const most = (values: (number | null)[]) =>
  values.reduce<number | null>((a, b) => (b === null ? a : a === null || b > a ? b : a), null);

export function Chart(props: Props) {
  const { dark } = useTheme();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const box = place.current!;
    plot.current = new uPlot(options(latest.current, box.clientWidth), data(latest.current), box);
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: box.clientWidth, height: latest.current.height ?? 180 }),
    );
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [dark, props.lines.length]);

  useEffect(() => plot.current?.setData(data(props)));

  const words = props.lines
    .map((line) => `${line.label}: ${props.window} ${show(props, last(line.values))}, at most ${show(props, most(line.values))}`)
    .join("; ");
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{props.title}</span>
        <span class="chart-legend">
          {props.lines.map((line) => (
            <span key={line.label}>
              <i class={`swatch ${line.color.slice(2)}`} />
              {props.lines.length > 1 && line.label} <b>{show(props, last(line.values))}</b>
            </span>
          ))}
          <small>{props.window}</small>
        </span>
      </figcaption>
      <div ref={place} class="chart-box" role="img" aria-label={`${props.title}, the last hour. ${words}`} />
    </figure>
  );
}

function show(props: Props, value: number | null): string {
  return value === null ? "–" : props.format(value);
}

/** A small line without axes. */
export function Spark({ values, label }: { values: (number | null)[]; label: string }) {
  const width = 96;
  const height = 24;
  const top = Math.max(1, ...values.map((value) => value ?? 0));
  const step = values.length > 1 ? width / (values.length - 1) : width;
  let path = "";
  let pen = false;
  values.forEach((value, i) => {
    if (value === null) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${(i * step).toFixed(1)} ${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`;
    pen = true;
  });
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path d={path || "M0 0"} />
    </svg>
  );
}
