/** Reads the text of one preprocessed line. */
export interface TextReader {
  readonly name: string;
  /** `pixels` is f32[3,48,320] from `preprocess`. */
  read(pixels: Float32Array): Promise<string>;
  close(): Promise<void>;
}
