/** Registers of cpuid, in the order in which the shim holds them. */
const REGISTERS = ['eax', 'ebx', 'ecx', 'edx'] as const;

/** Bits of one register of one leaf of cpuid, by the names of Intel's manual (Software Developer's Manual, volume 2, CPUID). */
export interface HiddenBits {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: (typeof REGISTERS)[number];
  readonly bits: Readonly<Record<string, number>>;
}

/** What a processor with AVX2 and FMA, but with neither AVX-512 nor what came after it, does not claim to have. */
export const HIDDEN: readonly HiddenBits[] = [
  {
    leaf: 7,
    subleaf: 0,
    register: 'ebx',
    bits: {
      ...{ AVX512F: 16, AVX512DQ: 17, AVX512_IFMA: 21, AVX512PF: 26, AVX512ER: 27 },
      ...{ AVX512CD: 28, AVX512BW: 30, AVX512VL: 31 },
    },
  },
  {
    leaf: 7,
    subleaf: 0,
    register: 'ecx',
    bits: { AVX512_VBMI: 1, AVX512_VBMI2: 6, AVX512_VNNI: 11, AVX512_BITALG: 12, AVX512_VPOPCNTDQ: 14 },
  },
  {
    leaf: 7,
    subleaf: 0,
    register: 'edx',
    bits: {
      ...{ AVX512_4VNNIW: 2, AVX512_4FMAPS: 3, AVX512_VP2INTERSECT: 8, AVX512_FP16: 23 },
      ...{ AMX_BF16: 22, AMX_TILE: 24, AMX_INT8: 25 },
    },
  },
  {
    leaf: 7,
    subleaf: 1,
    register: 'eax',
    bits: { AVX_VNNI: 4, AVX512_BF16: 5, AMX_FP16: 21, AVX_IFMA: 23 },
  },
  {
    leaf: 7,
    subleaf: 1,
    register: 'edx',
    bits: { AVX_VNNI_INT8: 4, AVX_NE_CONVERT: 5, AMX_COMPLEX: 8, AVX_VNNI_INT16: 10, AVX10: 19 },
  },
  // What the system saves of the registers: masks, upper halves, registers 16 to 31, tiles.
  {
    leaf: 13,
    subleaf: 0,
    register: 'eax',
    bits: { opmask: 5, ZMM_Hi256: 6, Hi16_ZMM: 7, XTILECFG: 17, XTILEDATA: 18 },
  },
];

/** The bits as one number. */
export function maskOf({ bits }: HiddenBits): number {
  return Object.values(bits).reduce((mask, bit) => mask | (1 << bit), 0) >>> 0;
}

/** Statements of C that clear the bits in `r`, the four registers that cpuid gave for `leaf` and `subleaf`. */
export function hidingCode(): string {
  const lines = HIDDEN.map((h) => {
    const mask = `0x${maskOf(h).toString(16)}u`;
    return `  if (leaf == ${h.leaf}u && subleaf == ${h.subleaf}u) r[${REGISTERS.indexOf(h.register)}] &= ~${mask};`;
  });
  return lines.join('\n');
}
