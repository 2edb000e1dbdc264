const mostShown = 80;

/** A resource as a reader gets it: others chose its name, so it is quoted, and cut where it would be a text of its own. */
export function shownResource(resource: string): string {
  const characters = [...resource];
  return JSON.stringify(
    characters.length <= mostShown ? resource : `${characters.slice(0, mostShown - 1).join("")}…`,
  );
}

/** The first of several, and how many more there are. */
export function shownResources(resources: readonly string[], most = 3): string {
  const shown = resources.slice(0, most).map(shownResource).join(", ");
  return resources.length > most ? `${shown} and ${resources.length - most} more` : shown;
}
