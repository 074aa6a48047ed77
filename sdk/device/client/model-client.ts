import type { Answered, Serving } from '../agent/host.ts';
import type { Tensors } from '../agent/model.ts';

/**
 * The model of a device as an application uses it: in the process of the agent, or over its socket. It may change between any two
 * inferences, never within one.
 */
export interface ModelClient {
  /** What runs at present; undefined while there is no model. */
  describe(): Promise<Serving | undefined>;
  /**
   * One inference; the answer says which model it is of.
   * @throws EigenError EW3202_DATA_INVALID for inputs that the model does not take, EW5003_ENGINE_UNAVAILABLE while there is none.
   */
  run(inputs: Tensors): Promise<Answered>;
  /**
   * Tells what the application measured of the model that runs, such as whether an answer was right. Means go into the health of the
   * device, by which new models are judged.
   */
  measure(values: Readonly<Record<string, number>>): Promise<void>;
  /** Calls `listener` whenever the model changes, until the returned function is called. */
  onChange(listener: (serving: Serving | undefined) => void): () => void;
  close(): Promise<void>;
}
