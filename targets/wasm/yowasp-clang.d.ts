/** The package's own types leave out `runClang`, which is the entry that can run the compiler and the linker together. */
declare module '@yowasp/clang' {
  export function runClang(
    args: readonly string[] | undefined,
    files: Readonly<Record<string, string | Uint8Array>>,
    options: {
      fetchProgress?: () => void;
      stdout?: (bytes: Uint8Array | null) => void;
      stderr?: (bytes: Uint8Array | null) => void;
    },
  ): Promise<Record<string, unknown> | undefined>;
}
