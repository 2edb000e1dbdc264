/**
 * Steps of our own tools, which every rule set knows, with other words for them: a model says the name of the tool where a
 * rule says what it does.
 */
export const ownSteps: Readonly<Record<string, readonly string[]>> = {
  "mailbox.send": [
    "send_message",
    "message.send",
    "mail.send",
    "send_mail",
    "mailbox.post",
    "mailbox.message",
  ],
  "topic.publish": ["publish_message", "message.publish", "publish_topic", "topic.send", "topic.post"],
  "lock.acquire": [
    "acquire_lock",
    "lock_acquire",
    "lock.reserve",
    "lock.get",
    "get_lock",
    "lock.take",
    "take_lock",
  ],
  "state.write": [
    "put_state",
    "state.put",
    "set_state",
    "state.set",
    "write_state",
    "state.update",
    "update_state",
  ],
};
