/**
 * What is not allowed by name is forbidden. The lists are a beginning: a rule set that builds on it replaces them by its
 * own, under the same ids.
 */
export const strict = `
version: 1
profile: standard
otherwise: deny
unknown: deny

rules:
  - id: allow-own-tools
    actions: [mailbox.send, topic.publish, lock.acquire, state.write]
    effect: allow

  # The actions that anybody may take on anything.
  - id: allow-actions
    actions: [file.read, web.fetch, db.read, git.commit, llm.call]
    effect: allow

  # The resources that anybody may change.
  - id: allow-resources
    actions: [file.write, file.create, file.move, file.copy, directory.create]
    resources: ["workspace/**"]
    effect: allow

  # What a team owns it may change.
  - id: allow-team-resources
    actions: [file.write, file.create, file.move, file.copy, directory.create]
    resources: ["teams/*/**"]
    when: agent.team != "" && (resource + "/").startsWith("teams/" + agent.team + "/")
    effect: allow

  - id: name-the-resource
    actions: ["file.*", "directory.*", "db.*", "deploy.**", "**.delete", "**.drop"]
    when: resource == ""
    effect: deny
    reason: the question does not say what the step is done to
    guidance: Ask again with the resource.

  - id: quiet-hours
    actions: ["deploy.**", "payment.**", email.send, db.migrate, git.push]
    when: now.getHours("UTC") < 6 || now.getHours("UTC") >= 22 || now.getDayOfWeek("UTC") in [0, 6]
    effect: require_approval
    reason: at night and at weekends nobody is there to see what comes of it
    guidance: Do it on a working day between 6 and 22 UTC, or wait for a person.

  - id: outward-needs-approval
    actions: ["deploy.**", "payment.**", email.send, db.migrate, git.push, shell.run]
    effect: require_approval
    reason: steps that reach others need a person
`.trimStart();
