// Pages by the part of the address behind #: #/daemons/comet/c1. Each part is percent-encoded.
import { useEffect, useState } from "preact/hooks";

function parts(): string[] {
  return location.hash
    .replace(/^#\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

export const link = (...path: string[]) => "#/" + path.map(encodeURIComponent).join("/");

export function go(...path: string[]): void {
  location.hash = link(...path);
}

export function useRoute(): string[] {
  const [route, set] = useState(parts);
  useEffect(() => {
    const changed = () => set(parts());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
