/** A stretch of a file that is mapped to run, of an ELF file. */
interface Segment {
  readonly address: number;
  readonly offset: number;
  readonly bytes: number;
}

/** The cpuid instruction, and what takes its place: a trap whose second byte says what it was. */
const CPUID = [0x0f, 0xa2] as const;
const TRAP = 0xcc;

const ELF64 = 0x02_46_4c_45_7f;
const LOADED = 1;
const EXECUTABLE = 1;

/**
 * Addresses of cpuid instructions in a part of a disassembler's listing without bytes (objdump -d --no-show-raw-insn). Where an instruction
 * begins is known to a disassembler alone: the same two bytes are in many displacements too.
 */
export function cpuidAddresses(listing: string): number[] {
  const found: number[] = [];
  for (let at = listing.indexOf('cpuid'); at >= 0; at = listing.indexOf('cpuid', at + 1)) {
    const line = listing.slice(listing.lastIndexOf('\n', at) + 1, at + 'cpuid'.length + 1);
    const address = /^\s*([0-9a-f]+):\s+cpuid\s?$/.exec(line)?.[1];
    if (address !== undefined) found.push(Number.parseInt(address, 16));
  }
  return found;
}

/** The library with a trap in place of the instructions at these addresses. Throws where there is no such instruction. */
export function trapped(library: Uint8Array, addresses: readonly number[]): Uint8Array {
  const segments = executableSegments(library);
  const out = library.slice();
  for (const address of addresses) {
    const s = segments.find((x) => address >= x.address && address + 1 < x.address + x.bytes);
    const at = s ? address - s.address + s.offset : -1;
    if (out[at] !== CPUID[0] || out[at + 1] !== CPUID[1])
      throw new Error(`there is no cpuid instruction at ${address.toString(16)}`);
    out[at] = TRAP;
  }
  return out;
}

/** Program headers of an ELF file of 64 bits. */
function executableSegments(file: Uint8Array): Segment[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const long = (at: number): number => Number(view.getBigUint64(at, true));
  if (file.length < 64 || view.getUint32(0, true) + view.getUint8(4) * 2 ** 32 !== ELF64)
    throw new Error('this is no ELF file of 64 bits');
  const [table, size, count] = [long(32), view.getUint16(54, true), view.getUint16(56, true)];
  const headers = Array.from({ length: count }, (_, i) => table + i * size);
  return headers
    .filter((h) => view.getUint32(h, true) === LOADED && view.getUint32(h + 4, true) & EXECUTABLE)
    .map((h) => ({ offset: long(h + 8), address: long(h + 16), bytes: long(h + 32) }));
}
