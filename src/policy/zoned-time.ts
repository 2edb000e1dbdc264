/** The parts of a time that conditions ask for, by the names CEL gives them. */
export const zonedParts = [
  "getDate",
  "getDayOfMonth",
  "getDayOfWeek",
  "getDayOfYear",
  "getFullYear",
  "getHours",
  "getMilliseconds",
  "getMinutes",
  "getMonth",
  "getSeconds",
] as const;
export type ZonedPart = (typeof zonedParts)[number];

export function isZonedPart(name: string): name is ZonedPart {
  return (zonedParts as readonly string[]).includes(name);
}

/** Making a formatter costs as much as a hundred decisions; zones are literals of rules, so there are few. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const maxFormatters = 500;

/** Whether the platform knows a time zone by this name. */
export function isZone(zone: string): boolean {
  try {
    return formatterOf(zone) !== undefined;
  } catch {
    return false;
  }
}

/** A part of a time as clocks in the zone show it. Days and months count from 0, but for `getDate`; Sunday is 0. */
export function zonedPart(at: Date, zone: string, part: ZonedPart): bigint {
  const shown = new Map(
    formatterOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(shown.get("year")!, shown.get("month")! - 1, shown.get("day")!, shown.get("hour")!);
  const day = new Date(local);
  switch (part) {
    case "getDate":
      return BigInt(day.getUTCDate());
    case "getDayOfMonth":
      return BigInt(day.getUTCDate() - 1);
    case "getDayOfWeek":
      return BigInt(day.getUTCDay());
    case "getDayOfYear":
      return BigInt(Math.floor((local - Date.UTC(day.getUTCFullYear(), 0, 1)) / 86_400_000));
    case "getFullYear":
      return BigInt(day.getUTCFullYear());
    case "getHours":
      return BigInt(day.getUTCHours());
    case "getMilliseconds":
      return BigInt(at.getUTCMilliseconds());
    case "getMinutes":
      return BigInt(shown.get("minute")!);
    case "getMonth":
      return BigInt(day.getUTCMonth());
    case "getSeconds":
      return BigInt(shown.get("second")!);
  }
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    if (formatters.size >= maxFormatters) formatters.clear();
    formatters.set(zone, formatter);
  }
  return formatter;
}
