import koffi from 'koffi';

const CLOCK_THREAD_CPUTIME_ID = 3;

/** Milliseconds that this thread has had a processor: what others do on a busy machine does not count. Linux. */
export function threadTime(): () => number {
  const libc = koffi.load('libc.so.6');
  const get = libc.func('int clock_gettime(int clock, void *time)') as (clock: number, time: BigInt64Array) => number;
  const time = new BigInt64Array(2);
  return () => {
    get(CLOCK_THREAD_CPUTIME_ID, time);
    return Number(time[0]) * 1e3 + Number(time[1]) / 1e6;
  };
}
