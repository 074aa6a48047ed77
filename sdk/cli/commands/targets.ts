import { listProfiles, loadProfile } from '../../compile/profile.ts';
import { probeHost } from '../../device/probe.ts';
import type { Profile } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, table } from '../format.ts';

export const targets = defineCommand({
  examples: [
    'eigenweights targets',
    'eigenweights targets raspberry-pi-4b',
    'eigenweights targets ./my-board.json --json',
  ],
  args: [{ name: 'BOARD', help: 'an id or a profile file: show all that is known about it', optional: true }],
  flags: {},
  next: 'eigenweights fit MODEL --target BOARD',
  async run({ args }, context) {
    const load = (id: string): Profile => loadProfile(id, { probe: () => probeHost({ storagePath: context.cwd }) });
    const [wanted] = args;
    if (wanted !== undefined) {
      const profile = load(wanted);
      return { data: { target: profile }, text: describe(profile) };
    }
    const profiles = listProfiles().map(({ id, form }) => ({ ...load(id), form }));
    const rows = profiles.map((p) => [p.id, p.name, cpuOf(p), memoryOf(p), storageOf(p)]);
    const data = {
      targets: profiles.map((p) => ({
        id: p.id,
        name: p.name,
        family: p.family,
        form: p.form,
        weightBits: p.weightBits,
        memoryBytes: p.memory.totalBytes,
      })),
    };
    return { data, text: table([['id', 'board', 'cores', 'memory', 'storage'], ...rows]) };
  },
});

function cpuOf(p: Profile): string {
  return p.cpu.clusters.map((c) => `${c.count} x ${c.core} ${c.clockMHz} MHz`).join(' + ');
}

function memoryOf(p: Profile): string {
  return p.memory.totalBytes.map(formatBytes).join(', ');
}

function storageOf(p: Profile): string {
  return `${p.storage.kind}${p.storage.bytes === null ? '' : ` ${formatBytes(p.storage.bytes)}`}`;
}

function describe(p: Profile): string {
  const rows = [
    ['board', `${p.name} (${p.id})`],
    ['cores', cpuOf(p)],
    ['memory', `${memoryOf(p)}, ${formatBytes(p.memory.reservedBytes)} of it for the system`],
    ['storage', storageOf(p)],
    ['weight bits', `${p.weightBits.kernels.join(', ')} in kernels; ${p.weightBits.storage.join(', ')} stored`],
    ['accelerators', p.accelerators.map((a) => a.kind).join(', ') || 'none'],
    ...Object.entries(p.provenance).map(([field, from]) => [
      `source of ${field}`,
      `${from.confidence}: ${p.sources[from.source] ?? from.source}`,
    ]),
    ...p.notes.map((n) => ['note', n]),
  ];
  return table(rows);
}
