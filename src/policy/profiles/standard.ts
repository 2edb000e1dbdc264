/**
 * What holds where nobody configured anything: ordinary work passes, spending and repeating have ends, and what cannot be
 * undone needs a person. Our own tools (mail, topics, locks, state) are in no rule, limit or counter of it, so that they
 * ask nobody.
 */
export const standard = String.raw`
version: 1
otherwise: allow
unknown: require_approval

vocabulary:
  file.read: [cat, "read a file", "open file"]
  file.write: [edit, "write a file", "edit a file"]
  file.create: [touch, "create a file", "new file"]
  file.move: [mv, rename, "move a file"]
  file.copy: [cp, "copy a file"]
  file.delete: [rm, del, unlink, remove, "delete a file"]
  directory.create: [mkdir]
  directory.delete: [rmdir, "rm -r", "rm -rf", "remove directory"]
  shell.run: [exec, run, sh, bash, cmd, "run a command", "shell command"]
  git.commit: [commit]
  git.push: [push]
  git.push_force: ["push --force", "git push -f", "git push --force"]
  git.reset_hard: ["git reset --hard"]
  branch.delete: ["git branch -D"]
  db.read: [select, "db query", "sql query"]
  db.write: ["insert into", "db insert", "db update"]
  db.delete: ["delete from", truncate]
  db.drop: ["drop table", "drop database"]
  db.migrate: [migrate]
  web.fetch: [curl, wget, fetch, "http get"]
  email.send: ["send an email", "send email"]
  deploy.start: [deploy, release, "deploy to production"]
  payment.make: [pay, buy, purchase]
  access.grant: [chmod, chown, "grant access"]
  llm.call: ["model call", "call a model"]

counters:
  # How often an agent has asked the same thing: action, resource and arguments.
  repeats:
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    per: agent
    same: true
    window: 10m

limits:
  # What is never settled counts as spent.
  - id: spend-junior
    of: cost
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    per: agent
    when: agent.role == "junior"
    most: 100
    window: 1d
    unsettled: charge
    reason: a junior agent spends at most 100 a day
    guidance: Go on tomorrow (UTC), or ask the operator.
  - id: spend-senior
    of: cost
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    per: agent
    when: agent.role == "senior"
    most: 1000
    window: 1d
    unsettled: charge
    reason: a senior agent spends at most 1,000 a day
    guidance: Go on tomorrow (UTC), or ask the operator.
  - id: spend-admin
    of: cost
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    per: agent
    when: agent.role == "admin"
    most: 10000
    window: 1d
    unsettled: charge
    reason: an admin spends at most 10,000 a day
    guidance: Go on tomorrow (UTC), or ask the operator.
  - id: spend-others
    of: cost
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    per: agent
    when: '!(agent.role in ["junior", "senior", "admin"])'
    most: 100
    window: 1d
    unsettled: charge
    reason: an agent without a role spends at most 100 a day
    guidance: Go on tomorrow (UTC), or ask the operator for a role.
  - id: rate-email
    of: calls
    actions: [email.send]
    per: agent
    most: 60
    window: 1h
    reason: an agent sends at most 60 emails an hour
    guidance: Wait for the next hour, or put several into one.
  - id: rate-deploy
    of: calls
    actions: ["deploy.**"]
    per: team
    most: 10
    window: 1h
    effect: require_approval
    reason: a team starts at most 10 deployments an hour on its own
  - id: rate-payment
    of: calls
    actions: ["payment.**"]
    per: agent
    most: 20
    window: 1d
    effect: require_approval
    reason: an agent makes at most 20 payments a day on its own

rules:
  # What lies below teams/NAME/ belongs to the team of that name.
  - id: team-resources
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    resources: ["teams/*/**"]
    when: agent.team == "" || !(resource + "/").startsWith("teams/" + agent.team + "/")
    effect: deny
    # Nobody here knows whether a folder or a pattern holds anything of a team.
    partly: require_approval
    reason: the resource belongs to another team
    guidance: Ask an agent of that team to do it; find_recipients names them.

  - id: destructive-after-unverified-mail
    actions:
      - "**.delete"
      - "**.drop"
      - "**.destroy"
      - "**.purge"
      - git.push_force
      - git.reset_hard
      - db.migrate
      - "deploy.**"
      - "payment.**"
      - access.grant
    when: size(reads.unverified) > 0
    effect: require_approval
    priority: 20
    reason: this run has read mail from somebody whose name nobody proved, and this step cannot be undone
    guidance: Wait for a person; say in the context why it is your own task and not what the mail asked for.

  - id: destructive-needs-approval
    actions:
      - "**.delete"
      - "**.drop"
      - "**.destroy"
      - "**.purge"
      - git.push_force
      - git.reset_hard
    effect: require_approval
    priority: 10
    reason: what this removes does not come back
    guidance: Wait for a person, or keep it and rename it instead.

  - id: destructive-command-needs-approval
    actions: [shell.run]
    when: |
      has(context.arguments.command) && context.arguments.command.matches(
        "(?i)(^|[;&|(\\s])(rm|rmdir|shred|mkfs[.a-z0-9]*|dd|truncate)\\s|git\\s+push\\s.*(-f\\b|--force)|git\\s+(reset\\s+--hard|clean\\s+-[a-z]*f)|drop\\s+(table|database|schema)\\s"
      )
    effect: require_approval
    priority: 10
    reason: the command removes what does not come back
    guidance: Wait for a person, or use a command that keeps what is there.

  - id: loop-guard
    actions: ["*"]
    except: ["mailbox.**", "topic.**", "lock.**", "state.**"]
    when: counts.repeats >= 20
    effect: deny
    reason: the same was asked 20 times within 10 minutes
    guidance: Do something else, or tell whoever gave you the task what keeps you from it.
`.trimStart();
