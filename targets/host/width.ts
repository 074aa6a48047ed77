/** What differs between vectors of 256 and 512 bits, and what their processors have. */
export interface Width {
  readonly lanes: 8 | 16;
  readonly bytes: 32 | 64;
  /** Prefix of the intrinsics, and their names of a vector of integers. */
  readonly mm: '_mm256' | '_mm512';
  readonly si: 'si256' | 'si512';
  /** Whether there are the instructions of VNNI: products of bytes, or of 16 bits, in sums of 32. */
  readonly vnni: boolean;
  readonly dpbusd: string;
  readonly dpwssd: string;
  /** Of the micro-kernels: rows by vectors of channels, as the registers allow. */
  readonly shape: { readonly rows: number; readonly columns: number };
}

export type WideKind = 'avx2' | 'avxvnni' | 'avx512vnni';

const YMM = { lanes: 8, bytes: 32, mm: '_mm256', si: 'si256', shape: { rows: 6, columns: 2 } } as const;

export const WIDTHS: Readonly<Record<WideKind, Width>> = {
  avx2: { ...YMM, vnni: false, dpbusd: '', dpwssd: '' },
  avxvnni: { ...YMM, vnni: true, dpbusd: '%{vex%} vpdpbusd', dpwssd: '%{vex%} vpdpwssd' },
  avx512vnni: {
    ...{ lanes: 16, bytes: 64, mm: '_mm512', si: 'si512', shape: { rows: 8, columns: 3 } },
    ...{ vnni: true, dpbusd: 'vpdpbusd', dpwssd: 'vpdpwssd' },
  },
};

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
