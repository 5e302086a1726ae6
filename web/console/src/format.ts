const units = ["", "k", "M", "G", "T"];

/** "1,234", "56.7k": at most four digits. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 10000) return Number.isInteger(value) || size >= 1000 ? Math.round(value).toLocaleString("en") : trim(value, size < 10 ? 2 : 1);
  let unit = 0;
  let left = value;
  while (Math.abs(left) >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return trim(left, Math.abs(left) < 100 ? 1 : 0) + units[unit];
}

function trim(value: number, digits: number): string {
  return value.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** All digits, to be copied. */
export const exact = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(3));

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < 4) {
    left /= 1024;
    unit++;
  }
  return `${trim(left, unit === 0 || left >= 100 ? 0 : 1)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** Of microseconds: "850 µs", "12 ms", "3.4 s". */
export function micros(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${Math.round(value)} µs`;
  if (value < 1e6) return `${trim(value / 1000, value < 1e4 ? 1 : 0)} ms`;
  return `${trim(value / 1e6, 1)} s`;
}

/** Of seconds: "3 s", "12 min", "5 h 20 min", "3 d 4 h". */
export function lasting(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB", { hour12: false });
}

export function dateTime(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)}`;
}

export const isWhole = (text: string) => /^-?\d{1,19}$/.test(text);
