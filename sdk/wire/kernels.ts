/** What kernels run on: any WebAssembly engine, or a system and a processor by Node's names. */
export const PLATFORMS = ['wasm', 'linux-x64', 'linux-arm64'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Which kernels: a platform and a variant, a word of lower-case letters, digits and dashes for the instructions they use. */
export interface KernelId {
  readonly platform: Platform;
  readonly variant: string;
}

/** The kernels of a program as a module: WebAssembly, or a shared object. */
export interface KernelModule extends KernelId {
  readonly bytes: Uint8Array;
}

/** A shared object that lies in a file, of which nothing has been read yet. */
export interface KernelFile extends KernelId {
  readonly file: string;
  /** SHA-256 of the file. Throws EW6002_BUNDLE_TAMPERED when it is not what was installed. */
  verified(): Promise<string>;
}

/** The platform of this process, where native kernels can be for it. */
export function thisPlatform(): Platform | undefined {
  return PLATFORMS.find((p) => p === `${process.platform}-${process.arch}`);
}
