import {
  coverFurther,
  coverOfNothing,
  maxSegments,
  overlapFurther,
  overlapOfNothing,
  type Reach,
} from "../addresses/index.js";
import type { Grant } from "./grant.js";

/** Resources of grants by their segments. A grant stands where its resource ends. */
interface Place {
  readonly grants: Grant[];
  /** By a segment without a wildcard, and by one that has one. */
  readonly named: Map<string, Place>;
  readonly wild: Map<string, Place>;
}

export const lockPrefix = "lock:";

/**
 * Grants about locks, arranged so that a decision looks only at those that begin as what is asked about begins. What is
 * asked about may be a pattern itself: a deny speaks of it where some path is meant by both, an allow only where it means
 * all of it.
 */
export class LockGrants {
  readonly #denies = newPlace();
  readonly #allows = newPlace();

  put(grant: Grant): void {
    let place = grant.effect === "deny" ? this.#denies : this.#allows;
    for (const segment of segmentsOf(grant.resource)) {
      const below = segment.includes("*") ? place.wild : place.named;
      const next = below.get(segment) ?? newPlace();
      below.set(segment, next);
      place = next;
    }
    place.grants.push(grant);
  }

  /** @param resource as the gate is asked, with its prefix */
  about(resource: string): readonly Grant[] {
    const asked = segmentsOf(resource);
    const found: Grant[] = [];
    collect(this.#denies, overlapOfNothing(asked), { asked, found, further: overlapFurther, meets });
    collect(this.#allows, coverOfNothing(asked), { asked, found, further: coverFurther });
    return found;
  }

  /** Those that name every lock there can be: any depth, and with it one segment at most, which every lock has. */
  aboutAll(): readonly Grant[] {
    return [this.#denies, this.#allows].flatMap((place) => ofEvery(place, false, false));
  }

  *all(): Generator<Grant> {
    yield* allOf(this.#denies);
    yield* allOf(this.#allows);
  }
}

interface Search {
  readonly asked: readonly string[];
  readonly found: Grant[];
  readonly further: (reach: Reach, segment: string, asked: readonly string[]) => Reach;
  /** Whether a segment may go on that is not written in what is asked about. */
  readonly meets?: (reach: Reach, asked: readonly string[]) => boolean;
}

/** Each place is looked at once at most; of named ones only those that are written in what is asked about, unless it has a wildcard there. */
function collect(place: Place, reach: Reach, search: Search): void {
  const { asked, found, further, meets } = search;
  if (reach[asked.length]) found.push(...place.grants);
  const goOn = ([segment, next]: readonly [string, Place]): void => {
    const there = further(reach, segment, asked);
    if (there.includes(true)) collect(next, there, search);
  };
  for (const one of place.wild) goOn(one);
  if (meets?.(reach, asked)) for (const one of place.named) goOn(one);
  else if (place.named.size > 0)
    for (const segment of new Set(asked.filter((_, at) => reach[at]))) {
      const next = place.named.get(segment);
      if (next) goOn([segment, next]);
    }
}

function meets(reach: Reach, asked: readonly string[]): boolean {
  return reach.some((isReached, at) => isReached && (asked[at]?.includes("*") || asked[at - 1] === "**"));
}

function ofEvery({ grants, wild }: Place, hasAnyDepth: boolean, hasOne: boolean): readonly Grant[] {
  const [deep, one] = [wild.get("**"), hasOne ? undefined : wild.get("*")];
  return [
    ...(hasAnyDepth ? grants : []),
    ...(deep ? ofEvery(deep, true, hasOne) : []),
    ...(one ? ofEvery(one, hasAnyDepth, true) : []),
  ];
}

function* allOf(place: Place): Generator<Grant> {
  yield* place.grants;
  for (const below of [place.named, place.wild]) for (const next of below.values()) yield* allOf(next);
}

function newPlace(): Place {
  return { grants: [], named: new Map(), wild: new Map() };
}

function segmentsOf(resource: string): readonly string[] {
  return resource.slice(lockPrefix.length).split("/");
}

/** A segment that no lock can have, so that only a wildcard means it. */
const unheardOf = "\n";
/** More segments than any lock has: no pattern without any depth means so many. */
const many = Array.from({ length: maxSegments }, () => unheardOf).join("/");

/** Locks that a pattern means, as far from whatever else is named as can be: with nothing for any depth, and with much. */
export function examplesOf(resource: string): readonly string[] {
  if (!resource.startsWith(lockPrefix)) return [];
  return ["", many].flatMap((deep) => {
    const segments = segmentsOf(resource).flatMap((one) =>
      one === "**" ? (deep === "" ? [] : [deep]) : [one],
    );
    return segments.length === 0 ? [] : [`${lockPrefix}${segments.join("/").replaceAll("*", unheardOf)}`];
  });
}
