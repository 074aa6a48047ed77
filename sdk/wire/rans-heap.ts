import { inflateRawSync } from 'node:zlib';
import { bytesOf } from '../util/tensor.ts';
import { RANS_WASM } from './rans-wasm.ts';

const PAGE = 65536;
/** Memory that is kept from call to call. */
const KEPT_BYTES = 8 << 20;

type Decoder = (
  states: number,
  words: number,
  tables: number,
  stride: number,
  classes: number,
  rows: number,
  cols: number,
  lanes: number,
  bits: number,
  out: number,
) => number;

type Together = (streams: number, classes: number, rows: number, cols: number, bits: number, out: number) => void;

interface Exports {
  readonly __heap_base: WebAssembly.Global;
  readonly decode8: Decoder;
  readonly decode16: Decoder;
  readonly refine: Decoder;
  readonly planes1: Together;
  readonly planes2: Together;
  readonly planes3: Together;
  fillSymbols(table: number, frequencies: number, symbols: number, count: number): void;
  fillDigits(tables: number, frequencies: number, reach: number): void;
  encode(
    states: number,
    end: number,
    steps: number,
    symbols: number,
    rows: number,
    cols: number,
    lanes: number,
    bits: number,
  ): number;
}

interface Instance {
  readonly memory: WebAssembly.Memory;
  readonly lib: Exports;
}

let compiled: WebAssembly.Module | undefined;
let idle: Instance | undefined;

/** Memory of one call, a stack. Views die when anything is allocated after them. */
export class Heap {
  readonly lib: Exports;
  private readonly instance: Instance;
  private top: number;

  constructor() {
    this.instance = idle ?? newInstance();
    idle = undefined;
    this.lib = this.instance.lib;
    this.top = Number(this.lib.__heap_base.value);
  }

  get buffer(): ArrayBuffer {
    return this.instance.memory.buffer as ArrayBuffer;
  }

  /** Address of `bytes` bytes, 16-byte aligned, of any content. */
  alloc(bytes: number): number {
    const at = Math.ceil(this.top / 16) * 16;
    this.top = at + bytes;
    const missing = this.top - this.buffer.byteLength;
    if (missing > 0) this.instance.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  put(data: Uint8Array | Uint16Array | Uint32Array): number {
    const at = this.alloc(data.byteLength);
    new Uint8Array(this.buffer, at, data.byteLength).set(bytesOf(data));
    return at;
  }

  /** Leaves the instance to the next call, unless it has grown large. */
  close(): void {
    if (this.buffer.byteLength <= KEPT_BYTES) idle = this.instance;
  }
}

function newInstance(): Instance {
  compiled ??= new WebAssembly.Module(inflateRawSync(Buffer.from(RANS_WASM, 'base64')));
  const memory = new WebAssembly.Memory({ initial: 8 });
  const lib = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Exports;
  return { memory, lib };
}
