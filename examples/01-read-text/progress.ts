import type { Progress } from 'eigenweights';

/** Plain lines on stderr: the start of a stage, then every quarter of it. */
export function lineProgress(write: (line: string) => void, now = (): number => performance.now()): Progress {
  const start = now();
  let stage = '';
  let quarter = -1;
  return (e) => {
    const at = e.total > 0 ? Math.floor((4 * e.done) / e.total) : 4;
    if (e.stage === stage && at <= quarter) return;
    stage = e.stage;
    quarter = at;
    const seconds = ((now() - start) / 1000).toFixed(0).padStart(4);
    write(`${seconds} s  ${e.stage.padEnd(14)} ${String(25 * at).padStart(3)} %`);
  };
}
