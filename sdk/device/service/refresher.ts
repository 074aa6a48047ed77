import type { Clock } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import type { Assignment } from '../../wire/assignment.ts';
import type { DeviceLink } from '../link/index.ts';
import type { MetadataSource } from '../trust/source.ts';
import type { Trust } from '../trust/trust.ts';

export interface RefresherParts {
  readonly trust: Pick<Trust, 'assignment' | 'refresh'>;
  readonly link: Pick<DeviceLink, 'desired'>;
  readonly source: MetadataSource;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** Hears what is not believed. */
  readonly refused: (e: unknown) => void;
}

/** Where nothing changes, what is believed is brought up to date so often, milliseconds: before it expires. */
const FRESH = 6 * 3_600_000;

/**
 * What is assigned to a device, by what is signed. A controller only says that something has changed: then, and now and then, metadata
 * is fetched; several who ask at the same time wait for the same.
 */
export class Refresher {
  private readonly parts: RefresherParts;
  private running: Promise<void> | undefined;
  /** Revision of the desired state that was known when metadata was fetched last, and when that was. */
  private seen: { readonly rev: number | undefined; readonly at: number } | undefined;

  constructor(parts: RefresherParts) {
    this.parts = parts;
  }

  /** What is assigned; undefined also while an update is to wait. Errors of the source pass; what was assigned before counts then. */
  async assignment(): Promise<Assignment | undefined> {
    if (this.due()) {
      this.running ??= this.refresh().finally(() => {
        this.running = undefined;
      });
      await this.running;
    }
    const { trust, link } = this.parts;
    const { action = 'install' } = link.desired ?? {};
    return action === 'install' ? trust.assignment : undefined;
  }

  private due(): boolean {
    const { seen } = this;
    const { desired } = this.parts.link;
    if (!seen || seen.rev !== desired?.rev) return true;
    if (this.parts.clock.monotonic() - seen.at > FRESH) return true;
    // Whoever signs may be later than whoever says that something has changed.
    return desired?.action === 'install' && this.parts.trust.assignment?.blob.sha256 !== hexOf(desired.target);
  }

  private async refresh(): Promise<void> {
    const { trust, link, source, clock, refused } = this.parts;
    const rev = link.desired?.rev;
    const refresh = () => trust.refresh(source, clock.now());
    try {
      await refresh().catch((e) => {
        // What was listed after targets were fetched may be assigned already: a slow device needs seconds from one to the other.
        if (attackOf(e) !== 'arbitrary-installation') throw e;
        return refresh();
      });
    } catch (e) {
      if (attackOf(e) !== undefined) refused(e);
      throw e;
    }
    this.seen = { rev, at: clock.monotonic() };
  }
}

function attackOf(e: unknown): unknown {
  return isEigenError(e) ? e.details.attack : undefined;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Several sources of metadata as one: the first that has a file. @throws what the last of them threw, where none has it and one threw. */
export function firstThatHas(sources: readonly MetadataSource[]): MetadataSource {
  return {
    async fetch(role, version, most) {
      let problem: unknown;
      for (const source of sources) {
        try {
          const bytes = await source.fetch(role, version, most);
          if (bytes) return bytes;
        } catch (e) {
          if (!isEigenError(e)) throw e;
          problem = e;
        }
      }
      if (problem !== undefined) throw problem;
      return undefined;
    },
  };
}
