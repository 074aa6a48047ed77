import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type LogLine, LogLines } from '../log-lines.ts';
import { within } from '../until.ts';
import { packCpio } from './cpio.ts';
import type { BoardSystem } from './system.ts';

/** Longest wait for a line on the console, milliseconds: an emulated processor on a busy machine is slow. */
const PATIENCE = 240_000;
/** Longest end, seconds. */
const END = 60;

/** Memory of the board, MB. */
const MEMORY = 512;

export interface MachineParts {
  readonly system: BoardSystem;
  /** Where the disk is served that the agent works on. */
  readonly disk: string;
  /** For files of its own. */
  readonly folder: string;
}

/** A board with a Cortex-A72, emulated from its first instruction on; power is on. */
export class BoardMachine {
  readonly startedAt = performance.now();
  private readonly child: ChildProcess;
  private readonly log = new LogLines(lineOf);
  /** The end of what was on the console. */
  private console = '';
  private readonly ended: Promise<void>;

  constructor({ system, disk, folder }: MachineParts, onLine: (line: LogLine) => void) {
    const initrd = join(folder, 'initrd');
    const init = { path: 'init', bytes: readFileSync(join(import.meta.dirname, 'init.sh')), executable: true };
    writeFileSync(initrd, Buffer.concat([readFileSync(system.initrd), gzipSync(packCpio([init]))]));
    const words = [
      ...['-M', 'virt', '-cpu', 'cortex-a72', '-smp', '2', '-m', String(MEMORY), '-nodefaults', '-no-reboot'],
      ...['-nographic', '-monitor', 'none', '-serial', 'stdio', '-kernel', system.kernel, '-initrd', initrd],
      ...['-append', 'console=ttyAMA0 quiet panic=-1 random.trust_cpu=on'],
      ...['-drive', `file=${system.image},format=raw,if=none,id=system,readonly=on`],
      ...['-device', 'virtio-blk-pci,drive=system'],
      ...['-blockdev', `driver=nbd,node-name=data,server.type=unix,server.path=${disk}`],
      ...['-device', 'virtio-blk-pci,drive=data'],
      ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
      ...['-device', 'virtio-rng-pci'],
    ];
    this.child = spawn('qemu-system-aarch64', words, { stdio: ['pipe', 'pipe', 'pipe'] });
    const seen = this.log.lines;
    let told = 0;
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      this.console = (this.console + chunk).slice(-4000);
      this.log.push(chunk);
      for (; told < seen.length; told++) onLine(seen[told]!);
    });
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.console += chunk;
    });
    // A machine that has just ended takes no more commands.
    this.child.stdin!.on('error', () => undefined);
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', () => {
        this.log.end();
        resolve();
      });
    });
  }

  /** The first line of the log that has the fields of one of these. */
  async until(...wanted: readonly Readonly<Record<string, unknown>>[]): Promise<LogLine> {
    return this.log.lines[await this.log.find(0, wanted, PATIENCE, () => this.console)]!;
  }

  /** Its processor is started again at once, without what is in memory; there it ends. */
  reset(): void {
    this.child.stdin!.write('cut\n');
  }

  /** Nothing of it is left. */
  unplug(): void {
    this.child.kill('SIGKILL');
  }

  end(): Promise<void> {
    return within('the end of the machine', this.ended, END);
  }
}

/** What the kernel and the shell say is not for us. */
function lineOf(text: string): LogLine | undefined {
  const line = text.trim();
  if (!line.startsWith('{"')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    // Power went in the middle of it.
    return undefined;
  }
}
