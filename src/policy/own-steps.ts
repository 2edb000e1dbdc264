/**
 * Steps of our own tools, which every rule set knows, with other words for them: a model says the name of the tool where a
 * rule says what it does. Only words that nobody has for a step of theirs, for whoever asks by one of them is refused.
 */
export const ownSteps: Readonly<Record<string, readonly string[]>> = {
  "mailbox.send": ["send_message", "mailbox.post"],
  "topic.publish": ["publish_message", "topic.send", "topic.post"],
  "lock.acquire": ["acquire_lock", "lock.reserve", "lock.take"],
  "state.write": ["put_state", "state.put", "state.set"],
};
