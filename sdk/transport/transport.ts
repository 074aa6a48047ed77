import { EigenError } from '../util/errors.ts';

/**
 * What carries messages between devices and their controller: MQTT (mqtt.ts), or a broker in memory (sdk/testing). It comes back by
 * itself when its connection goes, and keeps nothing for later: a message that cannot be sent now is an error, to be made good by
 * whoever sent it.
 */
export interface Transport {
  readonly connected: boolean;
  /**
   * Sends a message. Returns when the connection has taken it, with `qos` 1 when the other end of it has. At most
   * `MOST_OUTSTANDING` are on the way; some more wait for their turn.
   * @throws EigenError EW7101_NOT_CONNECTED, also where the connection goes before the end; EW7102_LINK_FULL when too many wait.
   */
  publish(topic: string, payload: Uint8Array, options?: PublishOptions): Promise<void>;
  /**
   * Asks for the messages of a topic, or of all that match a filter with `+` and `#`; on every later connection too. Returns when the
   * broker has granted it, at once while there is no connection, or where it was asked for before.
   * @throws EigenError EW7103_LINK_REFUSED when the broker does not grant it.
   */
  subscribe(filter: string, qos: 0 | 1): Promise<void>;
  /** Hears every message from now on; what is returned ends that. Listeners must not throw. */
  onMessage(listener: (message: Incoming) => void): () => void;
  /** Hears when the connection is there, everything that was subscribed being granted, and when it is gone. */
  onState(listener: (connected: boolean) => void): () => void;
  /** Ends it for good, politely: the will is not sent. */
  close(): Promise<void>;
}

export interface PublishOptions {
  /** 0 where absent: at most once. */
  readonly qos?: 0 | 1;
  /** The broker keeps it for later subscribers, in place of what it kept before; an empty one clears that. */
  readonly retain?: boolean;
  /** After how many seconds it is of no use any more; brokers that know MQTT 5 drop it then. */
  readonly expirySeconds?: number;
}

export interface Incoming {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** What the broker publishes, retained, when a connection goes without having been closed. */
export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Messages that are on the way at a time: some brokers drop what is more than 200. */
export const MOST_OUTSTANDING = 64;
/** Messages that wait for their turn. */
export const MOST_WAITING = 256;

export function notConnected(what = 'there is no connection to the broker'): EigenError {
  return new EigenError('EW7101_NOT_CONNECTED', `link: ${what}`, {
    hint: 'It connects again by itself; check address, credentials and network if it does not.',
  });
}

export function linkRefused(what: string, cause?: unknown): EigenError {
  return new EigenError('EW7103_LINK_REFUSED', `link: ${what}`, {
    hint: 'Check what the broker allows this name: its own topics, and this protocol.',
    cause,
  });
}
