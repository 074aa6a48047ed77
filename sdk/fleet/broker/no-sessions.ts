/**
 * What aedes asks for where brokers keep sessions, retained messages and messages for who is away: here nobody has a session, nothing is retained,
 * and QoS 2 is refused. aedes' own store in memory keeps a list for every device that ever acknowledged anything, and makes and ends streams of
 * nothing for each connection and subscription, 25 KB of garbage a device when ten thousand come back at once.
 */
export class NoSessions {
  async setup(): Promise<void> {}

  async storeRetained(): Promise<void> {}

  /** In place of a stream that ends at once: what aedes pipes it to never hears of it. */
  createRetainedStreamCombi(): { pipe(): void } {
    return NOTHING;
  }

  async addSubscriptions(): Promise<void> {}

  async removeSubscriptions(): Promise<void> {}

  async cleanSubscriptions(): Promise<void> {}

  async subscriptionsByClient(): Promise<[]> {
    return [];
  }

  async subscriptionsByTopic(): Promise<[]> {
    return [];
  }

  async outgoingEnqueue(): Promise<void> {}

  async outgoingEnqueueCombi(): Promise<void> {}

  async outgoingUpdate(): Promise<void> {}

  async outgoingClearMessageId(): Promise<void> {}

  outgoingStream(): [] {
    return [];
  }

  /** QoS 2 does not come so far. */
  async incomingStorePacket(): Promise<never> {
    throw new Error('there is no QoS 2 here');
  }

  async incomingGetPacket(): Promise<never> {
    throw new Error('no such packet');
  }

  async incomingDelPacket(): Promise<never> {
    throw new Error('no such packet');
  }

  async cleanIncoming(): Promise<void> {}

  /** The connection has it, and says it when it ends. */
  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  /** Of brokers that died beside this one. */
  streamWill(): [] {
    return [];
  }
}

const NOTHING = { pipe: () => undefined };
