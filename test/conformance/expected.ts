/** The revisions of the protocol that the suite has requirements for, and that we serve. */
export const revisions = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof revisions)[number];

const inBoth = [
  "completion-complete",
  "dns-rebinding-protection",
  "prompts-get-embedded-resource",
  "prompts-get-simple",
  "prompts-get-with-args",
  "prompts-get-with-image",
  "prompts-list",
  "resources-list",
  "resources-read-binary",
  "resources-read-text",
  "resources-templates-read",
  "server-sse-multiple-streams",
  "tools-call-audio",
  "tools-call-embedded-resource",
  "tools-call-error",
  "tools-call-image",
  "tools-call-mixed-content",
  "tools-call-simple-text",
  "tools-call-with-progress",
  "tools-list",
];

/** What a revision requires of a server: 30 scenarios and 37. */
export const required: Readonly<Record<Revision, readonly string[]>> = {
  "2025-11-25": [
    ...inBoth,
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "logging-set-level",
    "ping",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-initialize",
    "tools-call-elicitation",
    "tools-call-sampling",
    "tools-call-with-logging",
  ],
  "2026-07-28": [
    ...inBoth,
    "caching",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input",
    "sep-2164-resource-not-found",
    "server-stateless",
  ],
};

/** What the suite runs and does not score: extensions, and scenarios that are younger than the revision or not settled. */
export const notScored: Readonly<Record<Revision, readonly string[]>> = {
  "2025-11-25": ["json-schema-2020-12", "server-session-lifecycle", "server-sse-polling"],
  "2026-07-28": [
    "http-custom-header-server-validation",
    "http-header-validation",
    "json-schema-2020-12",
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-status-notifications",
    "tasks-wire-fields",
  ],
};

/** Why a scenario has checks that did not succeed, and which they are; without `checks`, those of an extension. */
export interface Open {
  readonly because: string;
  readonly checks?: readonly string[];
}

const noTasks: Open = { because: "the tasks extension is not offered" };

const notOffered: Readonly<Record<string, Open>> = {
  "http-custom-header-server-validation": {
    because: "no tool asks for an argument to be repeated in a header",
    checks: [
      "sep-2243-server-decode-base64",
      "sep-2243-server-no-xmcp-tool",
      "sep-2243-server-reject-invalid-param-chars",
      "sep-2243-server-reject-param-mismatch",
      "sep-2243-server-validate-param-match",
    ],
  },
  "server-sse-polling": {
    because: "streams cannot be resumed: what a reply did not bring comes again with the next read",
    checks: ["server-sse-priming-event", "server-sse-retry-field"],
  },
  "server-stateless": {
    because: "lists do not change while a client is connected",
    checks: [
      "sep-2575-server-sends-prompts-list-changed-on-subscription",
      "sep-2575-server-sends-tools-list-changed-on-subscription",
    ],
  },
  ...Object.fromEntries(
    notScored["2026-07-28"].filter((name) => name.startsWith("tasks-")).map((name) => [name, noTasks]),
  ),
};

const fixture = (what: string, ...checks: string[]): Open => ({ because: `it needs ${what}`, checks });

const withoutFixtures: Readonly<Record<string, Open>> = {
  "completion-complete": fixture("completion, which is not offered", "completion-complete"),
  "elicitation-sep1034-defaults": fixture(
    "the tool test_elicitation_sep1034_defaults",
    "elicitation-sep1034-general",
  ),
  "elicitation-sep1330-enums": fixture(
    "the tool test_elicitation_sep1330_enums",
    "elicitation-sep1330-general",
  ),
  "input-required-result-basic-elicitation": fixture(
    "the tool test_input_required_result_elicitation",
    "sep-2322-elicitation-incomplete",
  ),
  "input-required-result-basic-list-roots": fixture(
    "the tool test_input_required_result_list_roots",
    "sep-2322-list-roots-incomplete",
  ),
  "input-required-result-basic-sampling": fixture(
    "the tool test_input_required_result_sampling",
    "sep-2322-sampling-incomplete",
  ),
  "input-required-result-capability-check": fixture(
    "the tool test_input_required_result_capabilities",
    "sep-2322-respect-client-capabilities",
  ),
  "input-required-result-ignore-extra-params": fixture(
    "the tool test_input_required_result_elicitation",
    "sep-2322-ignore-unexpected-params",
  ),
  "input-required-result-missing-input-response": fixture(
    "the tool test_input_required_result_elicitation",
    "sep-2322-missing-response-rerequests",
  ),
  "input-required-result-multi-round": fixture(
    "the tool test_input_required_result_multi_round",
    "sep-2322-multi-round-r1",
  ),
  "input-required-result-multiple-input-requests": fixture(
    "the tool test_input_required_result_multiple_inputs",
    "sep-2322-multiple-inputs-incomplete",
  ),
  "input-required-result-non-tool-request": fixture(
    "the prompt test_input_required_result_prompt",
    "sep-2322-non-tool-incomplete",
  ),
  "input-required-result-request-state": fixture(
    "the tool test_input_required_result_request_state",
    "sep-2322-request-state-incomplete",
  ),
  "input-required-result-result-type": fixture(
    "the tool test_input_required_result_elicitation",
    "sep-2322-result-type-included",
  ),
  "input-required-result-tampered-state": fixture(
    "the tool test_input_required_result_tampered_state",
    "sep-2322-reject-tampered-state",
  ),
  "json-schema-2020-12": fixture("the tool json_schema_2020_12_tool", "json-schema-2020-12-tool-found"),
  "logging-set-level": fixture("a log for clients, which is not offered", "logging-set-level"),
  "prompts-get-embedded-resource": fixture(
    "the prompt test_prompt_with_embedded_resource",
    "prompts-get-embedded-resource",
  ),
  "prompts-get-simple": fixture("the prompt test_simple_prompt", "prompts-get-simple"),
  "prompts-get-with-args": fixture("the prompt test_prompt_with_arguments", "prompts-get-with-args"),
  "prompts-get-with-image": fixture("the prompt test_prompt_with_image", "prompts-get-with-image"),
  "resources-read-binary": fixture("the resource test://static-binary", "resources-read-binary"),
  "resources-read-text": fixture("the resource test://static-text", "resources-read-text"),
  "resources-subscribe": fixture("the resource test://watched-resource", "resources-subscribe"),
  "resources-templates-read": fixture("the template test://template/{id}/data", "resources-templates-read"),
  "resources-unsubscribe": fixture("the resource test://watched-resource", "resources-unsubscribe"),
  "server-stateless": fixture(
    "the tools test_missing_capability, test_streaming_elicitation and test_logging_tool for four of its checks",
    ...notOffered["server-stateless"]!.checks!,
    "sep-2575-http-server-no-independent-requests-on-stream",
    "sep-2575-missing-capability-http-400",
    "sep-2575-server-no-log-without-loglevel",
    "sep-2575-server-rejects-undeclared-capability",
  ),
  "tools-call-audio": fixture("the tool test_audio_content", "tools-call-audio"),
  "tools-call-elicitation": fixture("the tool test_elicitation", "tools-call-elicitation"),
  "tools-call-embedded-resource": fixture("the tool test_embedded_resource", "tools-call-embedded-resource"),
  "tools-call-error": fixture("the tool test_error_handling", "tools-call-error"),
  "tools-call-image": fixture("the tool test_image_content", "tools-call-image"),
  "tools-call-mixed-content": fixture("the tool test_multiple_content_types", "tools-call-mixed-content"),
  "tools-call-sampling": fixture("the tool test_sampling", "tools-call-sampling"),
  "tools-call-simple-text": fixture("the tool test_simple_text", "tools-call-simple-text"),
  "tools-call-with-logging": fixture("the tool test_tool_with_logging", "tools-call-with-logging"),
  "tools-call-with-progress": fixture("the tool test_tool_with_progress", "tools-call-with-progress"),
};

/** The scenarios with open checks. Any other passes whole. */
export const open = {
  withFixtures: notOffered,
  withoutFixtures: { ...notOffered, ...withoutFixtures },
} as const;
